package parser

import "github.com/swapcast/swapcast"

// Meteora DBC (dynamic bonding curve): a curve of up to 20 ranges of liquidity
// against a quote token, migrated to DAMM once its threshold is raised.
//
// Layouts from the program's IDL as @meteora-ag/dynamic-bonding-curve-sdk 1.5.12
// ships it, read 2026-11, and the accounts and events of mainnet transactions.
// Data after the discriminator: two u64, and for swap2 a mode u8.
//
//	swap, swap2, swap2_with_transfer_hook
//	    2 pool, 3 user in, 4 user out, 5 base vault, 6 quote vault, 7 base mint,
//	    8 quote mint, 9 payer
//
// EvtSwap2, sent to itself: pool 32, config 32, direction u8 (0 sells the base),
// has referral bool, two amounts u64 and mode u8 as asked, included fee input
// u64, excluded fee input u64, amount left u64, output u64, next sqrt price u128,
// trading fee u64, protocol fee u64, referral fee u64, quote reserve u64,
// migration threshold u64, time u64. Next to it, or alone in older transactions,
// EvtSwap: pool 32, config 32, direction u8, has referral bool, two amounts u64 as
// asked, actual input u64, output u64, next sqrt price u128, trading fee u64,
// protocol fee u64, referral fee u64, amount in u64, time u64.
//
// What moved is the truth; the event must agree (event_mismatch) and gives fee
// and spot price. A referral fee leaves a vault in the same instruction, as in
// DAMM v2. The quote vault also holds fees that are yet to be claimed; the quote
// reserve is the event's, which is what the curve has raised. Virtual reserves
// are not stated: the curve's ranges are not in the transaction.
//
// Progress is quote reserve / migration threshold, both EvtSwap2's; the curve is
// complete when the threshold is raised. EvtSwap has neither: unknown.
func meteoraDBC() dex {
	return dex{
		name:    "meteora-dbc",
		program: "dbcij3LWUppWqq96dh6gJWwBifmcGfLSB5D4DuSMaqN",
		decode:  decodeDBC,
	}
}

const (
	dbcSwap      = 0xf8c69e91e17587c8
	dbcSwap2     = 0x414b3f4ceb5b5b88
	dbcSwapHook  = 0xb75d992818e6c297
	dbcEvent     = 0x1b3c15d58aaabb93
	dbcEvent2    = 0xbd4233a826507599
	dbcEventHook = 0x863ba8785e3372e7

	dbcData       = 8 + 8 + 8
	dbcAccounts   = 15
	dbcEventSize  = 64 + 1 + 1 + 16 + 8 + 8 + 16 + 3*8 + 8 + 8
	dbcEvent2Size = 64 + 1 + 1 + 17 + 4*8 + 16 + 3*8 + 3*8
)

func decodeDBC(c *call) (bool, reason) {
	data := dbcData
	switch discriminator(c.ix.Data) {
	case dbcSwap:
	case dbcSwap2, dbcSwapHook:
		data++
	default:
		return false, ""
	}
	if why := c.check(data, dbcAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(2), vaultA: c.account(5), vaultB: c.account(6), dest: int16(c.account(4)),
	})
	if why != "" {
		return true, why
	}
	s.Curve.Stage = swapcast.CurveTrading
	if e := c.event(dbcEvent2); len(e) >= dbcEvent2Size {
		return true, dbcTraded(s, e)
	}
	if e := c.event(dbcEventHook); len(e) >= dbcEvent2Size {
		return true, dbcTraded(s, e)
	}
	if e := c.event(dbcEvent); len(e) >= dbcEventSize {
		return true, dbcTradedOld(s, e)
	}
	return true, ""
}

// dbcTraded holds a swap against EvtSwap2 and takes price, fee and the quote
// reserve from it.
func dbcTraded(s *swapcast.Swap, e []byte) reason {
	in, out, referral := u64(e, 83), u64(e, 107), u64(e, 147)
	onInput := in != u64(e, 91)
	if [32]byte(e[:32]) != s.Pool || !dammAgrees(s, in, out, referral) {
		return eventMismatch
	}
	s.Curve = swapcast.CurveAt(float64(u64(e, 155)), float64(u64(e, 163)))
	sell := e[64] == 0
	spotOfSqrt(s, u64(e, 115), u64(e, 123), sell)
	if fee := float64(u64(e, 131)) + float64(u64(e, 139)) + float64(referral); onInput {
		setFee(s, fee, in)
	} else {
		// The output is what is left after the fee, which stays in the vault.
		setFee(s, fee, out+u64(e, 131)+u64(e, 139)+referral)
	}
	if s.ReservesKnown {
		if sell {
			s.ReserveOut = u64(e, 155)
		} else {
			s.ReserveIn = u64(e, 155)
		}
	}
	return ""
}

// dbcTradedOld does the same with EvtSwap, which tells neither of what the fee
// was taken nor the reserve.
func dbcTradedOld(s *swapcast.Swap, e []byte) reason {
	if [32]byte(e[:32]) != s.Pool || !dammAgrees(s, u64(e, 82), u64(e, 90), u64(e, 130)) {
		return eventMismatch
	}
	spotOfSqrt(s, u64(e, 98), u64(e, 106), e[64] == 0)
	return ""
}
