package sim

import (
	"math/bits"

	"github.com/swapcast/swapcast"
)

// dex is one of the simulated programs.
type dex struct {
	name    string // as the contract spells it
	program *acct
	event   *acct // its Anchor event authority, where it has one
	label   byte  // Jupiter's number for it in a route plan
}

// pool is what all venues have in common. Pool addresses, vaults and the other
// accounts of a pool are made up; programs, configs and authorities that a
// program has only one of are real.
type pool struct {
	m              *Market
	dex            *dex
	id             *acct
	a, b           *mint
	vaultA, vaultB *acct
	auth           *acct // owner of the vaults
}

// party is who swaps: the authority over the two token accounts. Within a
// shared-accounts route it is the router's own authority, and trader is the
// wallet behind it.
type party struct {
	auth, trader *acct
	src, dst     *acct
}

// fill is a swap as the curve would do it. Nothing has moved yet.
type fill struct {
	in, out uint64 // what the user pays and receives
	vaultIn uint64 // what the pool's vault receives
	payout  uint64 // what the pool's vault pays, to the user and to others
	fee     uint64 // all fees that the program takes
	proto   uint64 // the protocol's part of them
	extra   uint64 // see the pool's own file
	ok      bool
}

// venue is a pool that can be traded on.
type venue interface {
	base() *pool
	// price is raw units of b for one raw unit of a, without fees.
	price() float64
	// feeRate is the part of a trade that is lost to fees, both directions.
	feeRate() float64
	// toward is about how much of the input moves the price to target.
	toward(target float64) (aToB bool, in uint64)
	// quote says what a trade of at most in would do.
	quote(aToB bool, in uint64) fill
	// swap writes the program's instruction at a stack height and executes it.
	swap(b *builder, p *party, aToB bool, in, minOut uint64, height int) fill
	// accounts adds the accounts of the swap instruction: to the instruction
	// itself, or to the router's that will call it.
	accounts(b *builder, u *party, aToB, routed bool)
	// plan adds the venue's step in a router's plan: its number and arguments.
	plan(b *builder, aToB bool)
}

func (p *pool) base() *pool { return p }

func (p *pool) plan(b *builder, _ bool) { b.data(p.dex.label) }

// sides returns the mints and vaults in the direction of a trade.
func (p *pool) sides(aToB bool) (in, out *mint, vaultIn, vaultOut *acct) {
	if aToB {
		return p.a, p.b, p.vaultA, p.vaultB
	}
	return p.b, p.a, p.vaultB, p.vaultA
}

// swapped records a swap for the ground truth.
func (p *pool) swapped(b *builder, outer, inner int, u *party, aToB bool, f *fill) *pendingSwap {
	in, out, vi, vo := p.sides(aToB)
	b.swaps = append(b.swaps, pendingSwap{
		Swap: swapcast.Swap{
			Path:          swapcast.Path{Outer: outer, Inner: inner},
			DEX:           p.dex.name,
			Program:       p.dex.program.key,
			Pool:          p.id.key,
			Trader:        u.trader.key,
			MintIn:        in.key,
			AmountIn:      f.vaultIn,
			DecimalsIn:    in.decimals,
			MintOut:       out.key,
			AmountOut:     f.payout,
			DecimalsOut:   out.decimals,
			UserAmountIn:  f.in,
			UserAmountOut: f.out,
			FeeBps:        -1,
		},
		vaultIn: vi, vaultOut: vo,
	})
	return &b.swaps[len(b.swaps)-1]
}

// mulDiv is floor(a*b/c); the result must fit and c must not be 0.
func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c)
	return q
}

// mulDivUp is ceil(a*b/c).
func mulDivUp(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, r := bits.Div64(hi, lo, c)
	if r != 0 {
		q++
	}
	return q
}
