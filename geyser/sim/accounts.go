package sim

import (
	"encoding/binary"

	"github.com/gagliardetto/solana-go"
)

//nolint:gochecknoglobals // a name for the byte order
var le = binary.LittleEndian

// Rent-exempt balances that mainnet charges, lamports.
const (
	rentToken   = 2_039_280 // 165 bytes, an SPL token account
	rentToken22 = 2_074_080 // 170 bytes, one with the immutable-owner extension
	rentMint    = 1_461_600 // 82 bytes
)

// acct is one account of the simulated chain. A token account has a mint; its
// tokens are in amount.
type acct struct {
	key      solana.PublicKey
	str      string // base58 of key, made when first needed
	lamports uint64

	// alt is the account's place in the made-up address lookup tables, from 1;
	// 0 means that it stands in none and is always a static key.
	alt int

	// Token account state.
	mint   *mint
	owner  *acct
	amount uint64
	live   bool // the token account exists

	// Owned by the transaction that is being built.
	gen uint32
	pos uint8
}

// mint is a token mint of the simulated chain.
type mint struct {
	*acct
	index    int // in Market.mints; -1 for a launched token
	symbol   string
	decimals uint8
	native   bool
	program  *acct // the token program that owns it
	supply   uint64
	unit     float64 // raw units in a whole token
	rent     uint64  // of one of its token accounts
}

func (a *acct) text() string {
	if a.str == "" {
		a.str = a.key.String()
	}
	return a.str
}

// newKey makes the next pseudo-random address. It is no point on a curve that
// anybody has a key for; only mints and programs have real addresses.
func (m *Market) newKey() (k solana.PublicKey) {
	m.keys.fill(k[:])
	return k
}

// newAcct makes an account with a made-up address.
func (m *Market) newAcct(lamports uint64) *acct {
	return &acct{key: m.newKey(), lamports: lamports}
}

// listed makes an account that the lookup tables hold.
func (m *Market) listed(lamports uint64) *acct {
	a := m.newAcct(lamports)
	m.list(a)
	return a
}

// list puts an account in the made-up lookup tables.
func (m *Market) list(a *acct) {
	m.altCount++
	a.alt = m.altCount
}

// real makes an account with a real mainnet address. Its balance is what such
// an account held in the transactions we looked at, rounded: it never changes
// unless something is paid to it.
func (m *Market) real(address string, lamports uint64) *acct {
	a := &acct{key: solana.MustPublicKeyFromBase58(address), str: address, lamports: lamports}
	m.list(a)
	return a
}

// newToken makes a live token account with a balance out of nothing: only for
// the first state of the chain.
func (m *Market) newToken(owner *acct, mn *mint, amount uint64) *acct {
	a := m.newAcct(mn.rent)
	a.mint, a.owner, a.amount, a.live = mn, owner, amount, true
	if mn.native {
		a.lamports += amount
	}
	mn.supply += amount
	return a
}

// ataKey is the made-up address of an owner's associated token account: like a
// real one it follows from owner and mint, so it is the same in every run.
func (m *Market) ataKey(owner *acct, mn *mint) (k solana.PublicKey) {
	s := m.opt.Seed
	for _, p := range [...]*acct{owner, mn.acct} {
		for i := 0; i < len(p.key); i += 8 {
			s = mix(s + golden + le.Uint64(p.key[i:]))
		}
	}
	r := rng{s}
	r.fill(k[:])
	return k
}

// newATA is newToken for an associated token account.
func (m *Market) newATA(owner *acct, mn *mint, amount uint64) *acct {
	a := m.newToken(owner, mn, amount)
	a.key = m.ataKey(owner, mn)
	return a
}

// wallet is a trader. All of its token accounts are associated ones; those of
// listed mints are found by index, those of launched ones in extra.
type wallet struct {
	*acct
	toks  []*acct
	extra map[*mint]*acct
	bot   bool // keeps its wrapped SOL between transactions
}

func (m *Market) newWallet(lamports uint64, bot bool) *wallet {
	return &wallet{
		acct:  m.newAcct(lamports),
		toks:  make([]*acct, len(m.mints)),
		extra: make(map[*mint]*acct),
		bot:   bot,
	}
}

// token returns the wallet's token account for a mint, live or not yet.
func (m *Market) token(w *wallet, mn *mint) *acct {
	if mn.index >= 0 {
		if w.toks[mn.index] == nil {
			w.toks[mn.index] = &acct{key: m.ataKey(w.acct, mn), mint: mn, owner: w.acct}
		}
		return w.toks[mn.index]
	}
	a := w.extra[mn]
	if a == nil {
		a = &acct{key: m.ataKey(w.acct, mn), mint: mn, owner: w.acct}
		w.extra[mn] = a
	}
	return a
}

// holds tells what a wallet can spend of a mint; for SOL its own lamports too.
func (m *Market) holds(w *wallet, mn *mint) uint64 {
	var n uint64
	if mn.index >= 0 {
		if a := w.toks[mn.index]; a != nil {
			n = a.amount
		}
	} else if a := w.extra[mn]; a != nil {
		n = a.amount
	}
	if mn.native && !w.bot {
		const keep = 20_000_000 // for fees and rent
		if w.lamports > keep {
			n += w.lamports - keep
		}
	}
	return n
}
