package parser

import (
	"math"

	"github.com/swapcast/swapcast"
)

// Raydium LaunchLab, bonding curves against a quote token (LetsBonk and others
// run on it).
//
// Layouts from the program's IDL as sevenlabs-hq/carbon's decoder holds it
// (2026-04-30), read 2026-11, and the accounts and events of mainnet
// transactions. Data after the discriminator: two amounts u64, share fee rate
// u64.
//
//	buy_exact_in, buy_exact_out, sell_exact_in, sell_exact_out
//	    4 pool, 5 user base, 6 user quote, 7 base vault, 8 quote vault
//
// TradeEvent, sent to itself: pool 32, total base to sell u64, virtual base u64,
// virtual quote u64, real base before u64, real quote before u64, real base after
// u64, real quote after u64, amount in u64, amount out u64, protocol fee u64,
// platform fee u64, creator fee u64, share fee u64, direction u8 (0 buy), pool
// status u8, exact in bool; in mid 2025 neither creator fee nor exact in yet.
// Virtual amounts are those that the curve began with; real base is what has been
// sold so far.
//
// Fees are of the quote. In mid 2025 they stayed in its vault until claimed; since
// then the vault hands the platform's and the creator's part on at once (a public
// sale of 2025-10 does), so that AmountIn is less than a buy's amount in and
// AmountOut more than a sale's amount out, which are the trader's. What moved is
// the truth; the event must agree (event_mismatch) and gives the fee and the
// reserves right after this trade: base left to sell and quote raised.
//
// The virtual reserves of a constant product curve are begun plus real. There
// are fixed and linear curves too and the event does not say which one it is:
// virtual reserves and price are set where the trade was made at the rate that
// the constant product gives.
//
// Progress is the part of the base to sell that is sold: real base after / total
// base to sell, both the event's. The quote to be raised is not in it; on any of
// the curves it is raised when the base is sold. The curve is complete when the
// pool status after the trade is no longer 0 (funding): 1 waits for the
// migration, 2 trades elsewhere.
func raydiumLaunchLab() dex {
	return dex{
		name:    "raydium-launchlab",
		program: "LanMV9sAd7wArD4vJFi2qDdfnVhFxYSUg6eADduJ3uj",
		decode:  decodeLaunchLab,
	}
}

const (
	launchBuyIn   = 0xfaea0d7bd59c13ec
	launchBuyOut  = 0x18d3742869039938
	launchSellIn  = 0x9527de9bd37c981a
	launchSellOut = 0x5fc8472208090ba6
	launchEvent   = 0xbddb7fd34ee661ee

	launchData      = 8 + 8 + 8 + 8
	launchAccounts  = 15
	launchEventSize = 32 + 7*8 + 2*8 + 3*8 + 2
	launchEventLong = launchEventSize + 8 + 1

	launchFunding = 0 // of the pool status
)

func decodeLaunchLab(c *call) (bool, reason) {
	dest := 5
	switch discriminator(c.ix.Data) {
	case launchBuyIn, launchBuyOut:
	case launchSellIn, launchSellOut:
		dest = 6
	default:
		return false, ""
	}
	if why := c.check(launchData, launchAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(4), vaultA: c.account(7), vaultB: c.account(8), dest: int16(c.account(dest)),
	})
	if why != "" {
		return true, why
	}
	s.Curve.Stage = swapcast.CurveTrading
	if e := c.event(launchEvent); len(e) >= launchEventSize {
		return true, launchTraded(s, e, dest == 5)
	}
	return true, ""
}

// launchTraded holds a swap against its TradeEvent and takes the rest from it.
func launchTraded(s *swapcast.Swap, e []byte, buy bool) reason {
	in, out := u64(e, 88), u64(e, 96)
	fees := u64(e, 104) + u64(e, 112) + u64(e, 120)
	if len(e) >= launchEventLong {
		fees += u64(e, 128)
	}
	if [32]byte(e[:32]) != s.Pool || !launchAgrees(s, in, out) {
		return eventMismatch
	}
	begunBase, begunQuote := u64(e, 40), u64(e, 48)
	baseBefore, quoteBefore, baseAfter, quoteAfter := u64(e, 56), u64(e, 64), u64(e, 72), u64(e, 80)
	// The curve's side of the quote: what was raised by it, or given back.
	curveBase, curveQuote := baseAfter-baseBefore, quoteAfter-quoteBefore
	if !buy {
		curveBase, curveQuote = -curveBase, -curveQuote
	}
	if buy {
		setFee(s, float64(fees), in)
	} else {
		setFee(s, float64(fees), curveQuote)
	}
	s.Curve = launchCurve(e)
	if left := u64(e, 32) - baseAfter; baseAfter <= u64(e, 32) {
		s.ReservesKnown = true
		s.ReserveIn, s.ReserveOut = side(buy, quoteAfter, left)
	}
	if baseAfter >= begunBase || baseBefore >= begunBase || curveBase == 0 || curveQuote == 0 {
		return ""
	}
	virtualBase, virtualQuote := begunBase-baseAfter, begunQuote+quoteAfter
	before := float64(begunQuote+quoteBefore) / float64(begunBase-baseBefore)
	after := float64(virtualQuote) / float64(virtualBase)
	// Over a constant product the trade's rate is the geometric mean of the
	// prices around it. Rounding may take a unit of either amount.
	rate := float64(curveQuote) / float64(curveBase) / math.Sqrt(before*after)
	if slack := 1e-3 + 1/float64(curveQuote) + 1/float64(curveBase); math.Abs(rate-1) > slack {
		return ""
	}
	s.VirtualKnown = true
	s.VirtualIn, s.VirtualOut = side(buy, virtualQuote, virtualBase)
	setSpot(s, float64(s.VirtualOut)/float64(s.VirtualIn))
	return ""
}

// launchCurve is how far the curve has come.
func launchCurve(e []byte) swapcast.Curve {
	status := e[launchEventSize-1]
	if len(e) >= launchEventLong {
		status = e[launchEventLong-2]
	}
	if status != launchFunding {
		return swapcast.CurveAt(1, 1)
	}
	return swapcast.CurveAt(float64(u64(e, 72)), float64(u64(e, 32)))
}

// launchAgrees compares an event's amounts with what moved: the trader's, or the
// vault's where nothing was taken on the way.
func launchAgrees(s *swapcast.Swap, in, out uint64) bool {
	return (in == s.AmountIn || in == s.UserAmountIn) && (out == s.AmountOut || out == s.UserAmountOut)
}

// side orders a quote's and a base's amount as in and out.
func side(buy bool, quote, base uint64) (in, out uint64) {
	if buy {
		return quote, base
	}
	return base, quote
}
