package sim

// Jupiter v6 as an outer router, JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4.
//
// Facts read from real transactions: 4VhDRLUK… and LHadjNzM… (shared accounts),
// pL1XB94m…, 5F7N7y52… and 5psvVHvT… (route).
//
//	route e517cb977ae3ad2a: plan vec | in u64 | quoted_out u64 | slippage_bps u16 |
//	  platform_fee_bps u8; accounts, 9: token program, user, source, destination,
//	  destination account (none: the program), destination mint, platform fee
//	  (none), event authority, program; then each step's program and accounts
//	shared_accounts_route c1209b3341d69c81: id u8 | the same; accounts, 13: token
//	  program, program authority, user, source, program source, program
//	  destination, destination, source mint, destination mint, platform fee
//	  (none), Token-2022 (none), event authority, program; then the steps
//	plan step: number of the DEX (and its arguments) | percent u8 | input u8 | output u8
//	inner, at height 2: shared: Transfer user -> program source; for each step the
//	  DEX's instruction, then SwapEvent 40c6cde8260871e2 by self-CPI: program |
//	  input mint | input u64 | output mint | output u64; shared: Transfer program
//	  destination -> user. Return data: the output, u64.

// hop is one step of a route.
type hop struct {
	v    venue
	aToB bool
	f    fill
}

// routed is a trade through Jupiter in one to three steps.
func (m *Market) routed() bool {
	path := m.path()
	from := path[0]
	usd := min(m.rng.logNormal(120, 1.5), 2500)
	w, able := m.holder(from, usd)
	if !able {
		m.topUp(w, from)
		return true
	}
	in := uint64(usd / m.usdRaw(from))
	var hops []hop
	for i, amount := 0, in; i+1 < len(path); i++ {
		h, ok := m.bestHop(path[i], path[i+1], amount)
		if !ok {
			return false
		}
		hops = append(hops, h)
		amount = h.f.out
	}
	m.begin(w, uint32(110_000+115_000*len(hops)))
	m.route(w, path, hops, in)
	return true
}

// path draws the tokens that a route visits.
func (m *Market) path() []*mint {
	sol, usdc, usdt := m.mints[tokSOL], m.mints[tokUSDC], m.mints[tokUSDT]
	x := m.mints[3+m.rng.n(len(m.mints)-3)]
	y := m.mints[3+m.rng.n(len(m.mints)-3)]
	var p []*mint
	switch r := m.rng.f(); {
	case r < 0.3:
		p = []*mint{x, sol}
	case r < 0.4:
		p = []*mint{sol, usdc}
	case r < 0.6:
		p = []*mint{x, sol, usdc}
	case r < 0.8 && x != y:
		p = []*mint{x, sol, y}
	case r < 0.9:
		p = []*mint{x, sol, usdc, usdt}
	default:
		p = []*mint{x, sol, usdt}
	}
	if m.rng.chance(0.5) {
		for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
			p[i], p[j] = p[j], p[i]
		}
	}
	return p
}

// bestHop is the best of a pair's pools for an amount.
func (m *Market) bestHop(from, to *mint, in uint64) (best hop, ok bool) {
	for _, v := range m.byPair[pairKey(from.index, to.index)] {
		aToB := v.base().a == from
		if f := v.quote(aToB, in); f.ok && f.out > best.f.out {
			best, ok = hop{v, aToB, f}, true
		}
	}
	return best, ok
}

// route writes the router's instruction and all that it calls.
func (m *Market) route(w *wallet, path []*mint, hops []hop, in uint64) {
	b := &m.b
	jup := m.prog.jup
	from, to := path[0], path[len(path)-1]
	src, c1 := m.spend(w, from, in)
	dst, c2 := m.receive(w, to)
	id := m.rng.n(2)
	shared := m.rng.chance(0.6)
	parties := m.parties(w, path, src, dst, shared, id)
	if !shared {
		// The tokens in between rest in accounts of the user's own.
		for _, mn := range path[1 : len(path)-1] {
			if a := m.token(w, mn); !a.live {
				b.createATA(w.acct, a, false, 1)
				if mn.native && !w.bot {
					defer func() { b.closeAccount(a) }()
				}
			}
		}
	}
	b.call(jup, 1)
	if shared {
		b.log("Instruction: SharedAccountsRoute")
		b.acc(ro, m.prog.token, parties[0].auth)
		b.acc(wr|signer, w.acct)
		b.acc(wr, src, parties[0].src, parties[len(hops)-1].dst, dst)
		b.acc(ro, from.acct, to.acct, jup, jup, m.prog.jupEvent, jup)
		b.bytes([]byte{0xc1, 0x20, 0x9b, 0x33, 0x41, 0xd6, 0x9c, 0x81, byte(3 + 4*id)})
	} else {
		b.log("Instruction: Route")
		b.acc(ro, m.prog.token)
		b.acc(wr|signer, w.acct)
		b.acc(wr, src, dst)
		b.acc(ro, jup, to.acct, jup, m.prog.jupEvent, jup)
		b.bytes([]byte{0xe5, 0x17, 0xcb, 0x97, 0x7a, 0xe3, 0xad, 0x2a})
	}
	b.u32(uint32(len(hops)))
	for i := range hops {
		h := &hops[i]
		b.acc(ro, h.v.base().dex.program)
		h.v.accounts(b, &parties[i], h.aToB, true)
		h.v.plan(b, h.aToB)
		b.data(100, byte(i), byte(i+1))
	}
	quoted := hops[len(hops)-1].f.out
	b.u64(in)
	b.u64(quoted)
	b.u16(uint16(50 + m.rng.n(250)))
	b.data(0)

	if shared {
		m.jupMove(src, parties[0].src, w.acct, in)
	}
	for i := range hops {
		h := &hops[i]
		amount := in
		if i > 0 {
			amount = hops[i-1].f.out
		}
		h.f = h.v.swap(b, &parties[i], h.aToB, amount, 0, 2)
		m.jupEvent(h)
	}
	out := hops[len(hops)-1].f.out
	if shared {
		m.jupMove(parties[len(hops)-1].dst, dst, parties[0].auth, out)
	}
	b.ret(30_000)
	le.PutUint64(b.retData[:], out)
	b.retProg = jup
	b.returned(jup, b.retData[:])
	for _, c := range [...]*acct{c1, c2} {
		if c != nil {
			b.closeAccount(c)
		}
	}
}

// parties says whose accounts each step uses.
func (m *Market) parties(w *wallet, path []*mint, src, dst *acct, shared bool, id int) []party {
	auth := w.acct
	at := make([]*acct, len(path))
	for i, mn := range path {
		switch {
		case shared:
			at[i] = m.shared.jupTokens[id][mn]
		case i == 0:
			at[i] = src
		case i == len(path)-1:
			at[i] = dst
		default:
			at[i] = m.token(w, mn)
		}
	}
	if shared {
		auth = m.shared.jupAuth[id]
	}
	out := make([]party, len(path)-1)
	for i := range out {
		out[i] = party{auth: auth, trader: w.acct, src: at[i], dst: at[i+1]}
	}
	return out
}

// jupMove is the router's transfer between the user's and its own account.
func (m *Market) jupMove(from, to, auth *acct, amount uint64) {
	if from.mint.program == m.prog.token22 {
		m.b.transferChecked(from, to, auth, amount, 2)
		return
	}
	m.b.transfer(from, to, auth, amount, 2)
}

func (m *Market) jupEvent(h *hop) {
	b := &m.b
	mi, mo, _, _ := h.v.base().sides(h.aToB)
	e := append(b.event[:0], discAnchorSwapEvent...)
	e = append(e, h.v.base().dex.program.key[:]...)
	e = append(e, mi.key[:]...)
	e = le.AppendUint64(e, h.f.in)
	e = append(e, mo.key[:]...)
	e = le.AppendUint64(e, h.f.out)
	b.event = e
	b.emitCPI(m.prog.jup, m.prog.jupEvent, 2, e, 195)
}
