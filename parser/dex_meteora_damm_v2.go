package parser

import "github.com/swapcast/swapcast"

// Meteora DAMM v2 (cp-amm), one range of concentrated liquidity.
//
// Layouts from the program's IDL as @meteora-ag/cp-amm-sdk 1.5.0 ships it, read
// 2026-11, and the accounts and events seen in mainnet transactions. Data after
// the discriminator: two u64, and for swap2 a mode u8.
//
//	swap, swap2
//	    1 pool, 2 user in, 3 user out, 4 vault a, 5 vault b, 6 mint a, 7 mint b, 8 user
//
// EvtSwap2, sent to itself: pool 32, direction u8, fee mode u8, has referral
// bool, two amounts u64 and mode u8 as asked, then included fee input u64,
// excluded fee input u64, amount left u64, output u64, next sqrt price u128,
// claiming fee u64, protocol fee u64, compounding fee u64, referral fee u64, then
// input with transfer fee u64, output with transfer fee u64, output without u64,
// time u64, reserve a u64, reserve b u64. Programs before late 2025 send EvtSwap:
// pool 32, direction u8, has referral bool, two amounts u64 as asked, output u64,
// next sqrt price u128, lp fee u64, protocol fee u64, partner fee u64, referral
// fee u64, actual input u64, time u64. Direction 0 is a to b.
//
// What moved is the truth; the event must agree (event_mismatch) and gives the
// spot price. A referral fee leaves a vault in the same instruction: paid of the
// output it is part of AmountOut, paid of the input it lowers AmountIn. The fee
// is known where the event states it of the input (EvtSwap2).
func meteoraDAMMv2() dex {
	return dex{
		name:    "meteora-damm-v2",
		program: "cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG",
		decode:  decodeDAMMv2,
	}
}

const (
	dammSwap   = 0xf8c69e91e17587c8
	dammSwap2  = 0x414b3f4ceb5b5b88
	dammEvent  = 0x1b3c15d58aaabb93
	dammEvent2 = 0xbd4233a826507599

	dammData       = 8 + 8 + 8
	dammAccounts   = 14
	dammEventSize  = 32 + 1 + 1 + 16 + 8 + 16 + 4*8 + 8 + 8
	dammEvent2Size = 32 + 1 + 1 + 1 + 17 + 4*8 + 16 + 4*8 + 6*8
)

func decodeDAMMv2(c *call) (bool, reason) {
	data := dammData
	switch discriminator(c.ix.Data) {
	case dammSwap:
	case dammSwap2:
		data++
	default:
		return false, ""
	}
	if why := c.check(data, dammAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(1), vaultA: c.account(4), vaultB: c.account(5), dest: int16(c.account(3)),
	})
	if why != "" {
		return true, why
	}
	if e := c.event(dammEvent2); len(e) >= dammEvent2Size {
		return true, dammEventNew(s, e)
	}
	if e := c.event(dammEvent); len(e) >= dammEventSize {
		return true, dammEventOld(s, e)
	}
	return true, ""
}

// dammEventNew holds a swap against EvtSwap2 and takes price and fee from it.
func dammEventNew(s *swapcast.Swap, e []byte) reason {
	in, out, referral := u64(e, 52), u64(e, 76), u64(e, 124)
	onInput := in != u64(e, 60)
	if !dammAgrees(s, in, out, referral) {
		return eventMismatch
	}
	spotOfSqrt(s, u64(e, 84), u64(e, 92), e[32] == 0)
	fee := float64(u64(e, 100)) + float64(u64(e, 108)) + float64(u64(e, 116)) + float64(referral)
	if onInput {
		setFee(s, fee, in)
	} else {
		setFee(s, fee, s.AmountOut)
	}
	return ""
}

// dammEventOld does the same with EvtSwap, which does not tell of what the fee
// was taken.
func dammEventOld(s *swapcast.Swap, e []byte) reason {
	if !dammAgrees(s, u64(e, 106), u64(e, 50), u64(e, 98)) {
		return eventMismatch
	}
	spotOfSqrt(s, u64(e, 58), u64(e, 66), e[32] == 0)
	return ""
}

// dammAgrees compares an event's amounts with what moved. The referrer's part
// is of one side or the other.
func dammAgrees(s *swapcast.Swap, in, out, referral uint64) bool {
	inOK := in == s.AmountIn || in == s.UserAmountIn || in-min(referral, in) == s.AmountIn
	outOK := out == s.AmountOut || out == s.AmountOut-min(referral, s.AmountOut)
	return inOK && outOK
}
