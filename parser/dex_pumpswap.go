package parser

import (
	"encoding/binary"
	"math"

	"github.com/swapcast/swapcast"
)

// PumpSwap, the constant product pools that Pump.fun's tokens migrate to.
//
// Layouts from the program's IDL as @pump-fun/pump-swap-sdk 1.20.0 ships it and
// from pump-fun/pump-public-docs, read 2026-11, and the events of mainnet
// transactions. Data after the discriminator: two u64, for buys also a byte.
//
//	buy, buy_exact_quote_in, sell
//	    0 pool, 1 user, 3 base mint, 4 quote mint, 5 user base, 6 user quote,
//	    7 vault base, 8 vault quote
//
// Fees are of the quote. A buyer pays the vault (the liquidity providers' part
// included) and, from the same account, protocol and creator. On a sale the
// vault pays the seller, protocol and creator, so AmountOut is more than
// UserAmountOut.
//
// BuyEvent and SellEvent, sent to itself: time i64, base u64, limit u64, user
// base u64, user quote u64, pool base u64, pool quote u64 (before the trade),
// quote u64, lp fee bps u64, lp fee u64, protocol fee bps u64, protocol fee u64,
// quote with (without) lp fee u64, user quote u64, pool 32, five more keys,
// creator 32, creator fee bps u64, creator fee u64; then BuyEvent has track
// volume bool, four numbers, min base u64, the instruction's name; then both have
// in newer programs cashback bps u64, cashback u64, buyback bps u64, buyback u64,
// virtual quote reserves i128.
//
// What moved is the truth; the event must agree on the base, and on the pool's or
// the user's quote (event_mismatch), and gives fee and spot price. boost_buy_and_burn pays a
// pool's own tokens to nobody and is no trade.
func pumpSwap() dex {
	return dex{
		name:    "pumpswap",
		program: "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA",
		decode:  decodePumpSwap,
	}
}

const (
	pswapBuy       = 0x66063d1201daebea
	pswapBuyExact  = 0xc62e1552b4d9e870
	pswapSell      = 0x33e685a4017f83ad
	pswapBuyEvent  = 0x67f4521f2cf57777
	pswapSellEvent = 0x3e2f370aa503dc2a

	pswapData      = 8 + 8 + 8
	pswapAccounts  = 17
	pswapEventSize = 14*8 + 6*32
	pswapCreator   = pswapEventSize + 32 + 8 + 8
	pswapBuyName   = pswapCreator + 1 + 5*8 + 4
	pswapTail      = 4*8 + 16
)

func decodePumpSwap(c *call) (bool, reason) {
	event, dest := uint64(pswapBuyEvent), 5
	switch discriminator(c.ix.Data) {
	case pswapBuy, pswapBuyExact:
	case pswapSell:
		event, dest = pswapSellEvent, 6
	default:
		return false, ""
	}
	if why := c.check(pswapData, pswapAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(0), vaultA: c.account(7), vaultB: c.account(8), dest: int16(c.account(dest)),
	})
	if why != "" {
		return true, why
	}
	e := c.event(event)
	if len(e) < pswapEventSize {
		return true, ""
	}
	if event == pswapBuyEvent {
		return true, pumpSwapBought(s, e)
	}
	return true, pumpSwapSold(s, e)
}

func pumpSwapBought(s *swapcast.Swap, e []byte) reason {
	if u64(e, 8) != s.AmountOut || (u64(e, 96) != s.AmountIn && u64(e, 104) != s.UserAmountIn) {
		return eventMismatch
	}
	var tail []byte
	if len(e) >= pswapBuyName {
		if name := int(binary.LittleEndian.Uint32(e[pswapBuyName-4:])); name <= len(e)-pswapBuyName {
			tail = e[pswapBuyName+name:]
		}
	}
	base, quote := float64(u64(e, 40)), float64(u64(e, 48))+pumpSwapExtras(s, e, tail)
	setSpot(s, (base-float64(s.AmountOut))/(quote+float64(s.AmountIn)))
	return ""
}

func pumpSwapSold(s *swapcast.Swap, e []byte) reason {
	if u64(e, 8) != s.AmountIn || (u64(e, 96) != s.AmountOut && u64(e, 104) != s.UserAmountOut) {
		return eventMismatch
	}
	var tail []byte
	if len(e) >= pswapCreator {
		tail = e[pswapCreator:]
	}
	base, quote := float64(u64(e, 40)), float64(u64(e, 48))+pumpSwapExtras(s, e, tail)
	setSpot(s, (quote-float64(s.AmountOut))/(base+float64(s.AmountIn)))
	return ""
}

// pumpSwapExtras sets the fee and returns the virtual part of the quote reserve,
// which pools have that are boosted. The buyback is part of the protocol's fee;
// cashback takes the place of the creator's.
func pumpSwapExtras(s *swapcast.Swap, e, tail []byte) float64 {
	fee := float64(u64(e, 72)) + float64(u64(e, 88))
	var creator, cashback uint64
	if len(e) >= pswapCreator {
		creator = u64(e, pswapCreator-8)
	}
	var virtual float64
	if len(tail) >= pswapTail {
		cashback = u64(tail, 8)
		virtual = signed128(u64(tail, 32), u64(tail, 40))
	}
	setFee(s, fee+float64(max(creator, cashback)), u64(e, 56))
	return virtual
}

// signed128 is the value of a signed 128-bit integer. Small negative ones must
// not be the difference of two large floats.
func signed128(low, high uint64) float64 {
	if int64(high) == int64(low)>>63 {
		return float64(int64(low))
	}
	return float64(int64(high))*math.Exp2(64) + float64(low)
}
