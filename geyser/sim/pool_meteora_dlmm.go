package sim

// Meteora DLMM, LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo.
//
// Facts read from real transactions of slot 361774429: 2Hjw2XCU… (swap: the
// transfers come before the event) and 7YKivTou… (swap2: the event comes first).
//
//	swap f8c69e91e17587c8, 24 bytes: amount_in u64 | min_amount_out u64
//	accounts, 15 and bin arrays: 0 pair, 1 bitmap extension, 2 reserve x,
//	  3 reserve y, 4 user in, 5 user out, 6 mint x, 7 mint y, 8 oracle,
//	  9 host fee account (the program: none), 10 user, 11 program x, 12 program y,
//	  13 event authority, 14 program
//	swap2 414b3f4ceb5b5b88, 28 bytes: the same and an empty vec (4 bytes);
//	  accounts: 0 to 12 the same, 13 memo, 14 event authority, 15 program
//	inner: TransferChecked user -> reserve, reserve -> user, and the event.
//	Swap 516ce3becdd00ac4: pair | from | start_bin i32 | end_bin i32 |
//	  amount_in u64 (with the fee) | amount_out u64 | swap_for_y bool | fee u64 |
//	  protocol_fee u64 | fee_bps u128 (of 1e9) | host_fee u64
//	bins: price of bin i is (1+step/10000)^i raw y for one raw x; a swap drains
//	  the active bin, then goes on to the next. Fee of the input in each bin:
//	  ceil(amount*rate/1e9), or ceil(net*rate/(1e9-rate)) where a bin is drained;
//	  5% of it to the protocol. Only the base fee is simulated.

import "math"

// binSpan is how many bins stand on each side of the first price, at most.
const binSpan = 1500

// binsInArray is how many bins one bin array account holds.
const binsInArray = 70

type dlmm struct {
	pool
	step         float64
	rate         uint64 // fee, of 1e9
	first        int    // id of bins[0]
	active       int    // index into bins
	bins         []bin
	arrays       []*acct
	arrayBase    int
	oracle, bits *acct
	count        int
}

type bin struct {
	price float64 // raw y for one raw x
	x, y  uint64
}

func (m *Market) newDLMM(a, b *mint, price, value float64, step uint64) *dlmm {
	p := &dlmm{step: float64(step) / 1e4, rate: step * 100_000}
	lg := math.Log1p(p.step)
	n := min(int(math.Ceil(math.Log(16)/lg)), binSpan)
	id := int(math.Round(math.Log(price) / lg))
	p.first, p.active = id-n, n
	p.bins = make([]bin, 2*n+1)
	each := value / float64(len(p.bins))
	var x, y uint64
	for i := range p.bins {
		q := &p.bins[i]
		q.price = math.Exp(float64(p.first+i) * lg)
		if i >= p.active {
			q.x = uint64(each / q.price)
		}
		if i <= p.active {
			q.y = uint64(each)
		}
		if i == p.active {
			q.x /= 2
			q.y /= 2
		}
		x += q.x
		y += q.y
	}
	p.pool = m.newPool(m.dexes.dlmm, a, b, x, y, nil)
	p.arrayBase = floorDiv(p.first, binsInArray)
	p.arrays = make([]*acct, floorDiv(p.first+2*n, binsInArray)-p.arrayBase+1)
	p.oracle, p.bits = m.listed(23_385_704), m.listed(11_859_840)
	return p
}

func floorDiv(a, b int) int { return int(math.Floor(float64(a) / float64(b))) }

func (p *dlmm) feeRate() float64 { return float64(p.rate) / 1e9 }

func (p *dlmm) price() float64 { return p.bins[p.active].price }

func (p *dlmm) toward(target float64) (aToB bool, in uint64) {
	aToB = target < p.price()
	sum := 0.0
	for i, n := p.active, 0; i >= 0 && i < len(p.bins) && n < 40; n++ {
		q := &p.bins[i]
		if aToB {
			if q.price <= target {
				break
			}
			sum += float64(q.y) / q.price
			i--
			continue
		}
		if q.price >= target {
			break
		}
		sum += float64(q.x) * q.price
		i++
	}
	return aToB, uint64(sum)
}

// walk goes through the bins; with commit it changes them. extra is the index
// of the bin where it ends.
func (p *dlmm) walk(aToB bool, in uint64, commit bool) (f fill) {
	left, i := in, p.active
	for left > 0 {
		if i < 0 || i >= len(p.bins) {
			return fill{}
		}
		q := &p.bins[i]
		var room uint64 // what would drain the bin, before the fee
		if aToB {
			room = uint64(math.Ceil(float64(q.y) / q.price))
		} else {
			room = uint64(math.Ceil(float64(q.x) * q.price))
		}
		avail := q.y
		if !aToB {
			avail = q.x
		}
		if avail == 0 {
			i = neighbour(i, aToB)
			continue
		}
		fee := mulDivUp(room, p.rate, 1_000_000_000-p.rate)
		net, out := room, avail
		drained := left >= room+fee
		if !drained {
			fee = mulDivUp(left, p.rate, 1_000_000_000)
			net = left - fee
			if aToB {
				out = uint64(float64(net) * q.price)
			} else {
				out = uint64(float64(net) / q.price)
			}
			out = min(out, avail)
		}
		left -= net + fee
		f.out += out
		f.fee += fee
		f.proto += fee * 5 / 100
		if commit {
			if aToB {
				q.x, q.y = q.x+net, q.y-out
			} else {
				q.x, q.y = q.x-out, q.y+net
			}
		}
		if left > 0 {
			i = neighbour(i, aToB)
		}
	}
	f.in, f.vaultIn, f.payout, f.extra, f.ok = in, in, f.out, uint64(i), f.out > 0
	if commit {
		p.active = i
	}
	return f
}

func neighbour(i int, aToB bool) int {
	if aToB {
		return i - 1
	}
	return i + 1
}

func (p *dlmm) quote(aToB bool, in uint64) fill { return p.walk(aToB, in, false) }

// array is the account of the bin array that a bin stands in.
func (p *dlmm) array(i int) *acct {
	k := floorDiv(p.first+i, binsInArray) - p.arrayBase
	if p.arrays[k] == nil {
		p.arrays[k] = p.m.listed(71_437_440)
	}
	return p.arrays[k]
}

func (p *dlmm) accounts(b *builder, u *party, aToB, routed bool) {
	p.count++
	b.acc(wr, p.id)
	b.acc(ro, p.dex.program)
	b.acc(wr, p.vaultA, p.vaultB, u.src, u.dst)
	b.acc(ro, p.a.acct, p.b.acct)
	b.acc(wr, p.oracle)
	b.acc(ro, p.dex.program, u.auth, p.a.program, p.b.program)
	if p.v2(routed) {
		b.acc(ro, p.m.prog.memo)
	}
	b.acc(ro, p.dex.event, p.dex.program)
	here := p.array(p.active)
	far := p.active + 2*binsInArray/3
	if aToB {
		far = p.active - 2*binsInArray/3
	}
	b.acc(wr, here)
	if far >= 0 && far < len(p.bins) && p.array(far) != here {
		b.acc(wr, p.array(far))
	}
}

// v2 says whether the instruction is swap2; it holds from accounts on.
func (p *dlmm) v2(routed bool) bool { return !routed && p.count%2 == 0 }

func (p *dlmm) swap(b *builder, u *party, aToB bool, in, minOut uint64, height int) fill {
	b.call(p.dex.program, height)
	o, i := b.place()
	p.accounts(b, u, aToB, height > 1)
	v2 := p.v2(height > 1)
	if v2 {
		b.log("Instruction: Swap2")
		b.bytes([]byte{0x41, 0x4b, 0x3f, 0x4c, 0xeb, 0x5b, 0x5b, 0x88})
	} else {
		b.log("Instruction: Swap")
		b.bytes(discSwap)
	}
	b.u64(in)
	b.u64(minOut)
	if v2 {
		b.u32(0)
	}
	if b.dry {
		b.fail(6003)
		return fill{}
	}
	start := p.first + p.active
	f := p.walk(aToB, in, true)
	_, _, vi, vo := p.sides(aToB)
	if v2 {
		p.event(b, u, aToB, start, &f, height)
	}
	b.transferChecked(u.src, vi, u.auth, f.in, height+1)
	b.transferChecked(vo, u.dst, p.id, f.out, height+1)
	if !v2 {
		p.event(b, u, aToB, start, &f, height)
	}
	b.ret(28_000)
	// The event names the bin and not the step: the price cannot be told from the
	// transaction alone, so the ground truth does not ask for it.
	p.swapped(b, o, i, u, aToB, &f)
	return f
}

func (p *dlmm) event(b *builder, u *party, aToB bool, start int, f *fill, height int) {
	e := append(b.event[:0], 0x51, 0x6c, 0xe3, 0xbe, 0xcd, 0xd0, 0x0a, 0xc4)
	e = append(e, p.id.key[:]...)
	e = append(e, u.auth.key[:]...)
	e = le.AppendUint32(e, uint32(int32(start)))
	e = le.AppendUint32(e, uint32(int32(p.first+p.active)))
	e = le.AppendUint64(e, f.in)
	e = le.AppendUint64(e, f.out)
	e = append(e, bit(aToB))
	e = le.AppendUint64(e, f.fee)
	e = le.AppendUint64(e, f.proto)
	e = u128{0, p.rate}.append(e)
	e = le.AppendUint64(e, 0)
	b.event = e
	b.emitCPI(p.dex.program, p.dex.event, height+1, e, 2203)
}
