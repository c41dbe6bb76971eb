package parser

import "github.com/swapcast/swapcast"

// Heaven, constant product pools of Token-2022 coins against wrapped SOL.
//
// Layouts from the program's IDL as sevenlabs-hq/carbon's decoder holds it
// (2026-04-30), read 2026-11, and the accounts and events of mainnet
// transactions. Data after the discriminator: two u64 and a string.
//
//	buy, sell
//	    4 pool, 5 user, 6 mint a, 7 mint b, 8 user a, 9 user b, 10 vault a, 11
//	    vault b
//
// Vault b holds the SOL of all pools, so it tells no pool's reserve. A coin's
// transfer fee is withdrawn to the very account that it was withheld in, within
// the same instruction: nothing is missing then.
//
// TradeEvent is only logged. The published IDL has but its first four fields;
// the others were read off three trades of a mainnet block, where they match what
// moved: base reserve u64, quote reserve u64, creator's fees so far u64, fee of
// this trade u64, a price of SOL f64, base in u64, base out u64, quote in u64,
// quote out u64 (the curve's side: a sale's fee is part of it and stays in the
// vault). What moved is the truth; the event, where it is there and agrees, gives
// the pool's reserves right after the trade, price and fee. Reserves are unknown
// without it. These pools are where the coins stay: there is no curve that migrates.
func heaven() dex {
	return dex{
		name:    "heaven",
		program: "HEAVENoP2qxoeuF8Dj2oT1GHEnu49U5mJYkdeC8BAX2o",
		decode:  decodeHeaven,
		logs:    true,
	}
}

const (
	heavenBuy   = 0x66063d1201daebea
	heavenSell  = 0x33e685a4017f83ad
	heavenEvent = 0xbddb7fd34ee661ee

	heavenData      = 8 + 8 + 8 + 4
	heavenAccounts  = 14
	heavenEventSize = 9 * 8
)

func decodeHeaven(c *call) (bool, reason) {
	dest := 8
	switch discriminator(c.ix.Data) {
	case heavenBuy:
	case heavenSell:
		dest = 9
	default:
		return false, ""
	}
	if why := c.check(heavenData, heavenAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(4), vaultA: c.account(10), vaultB: c.account(11), dest: int16(c.account(dest)),
	})
	if why != "" {
		return true, why
	}
	s.ReservesKnown, s.ReserveIn, s.ReserveOut = false, 0, 0
	if e := c.loggedEvent(heavenEvent, 0); len(e) >= heavenEventSize {
		heavenTraded(s, e, dest == 8)
	}
	return true, ""
}

func heavenTraded(s *swapcast.Swap, e []byte, buy bool) {
	base, quote, fee := u64(e, 0), u64(e, 8), u64(e, 24)
	if buy {
		if u64(e, 48) != s.AmountOut || u64(e, 56) != s.AmountIn {
			return
		}
		setFee(s, float64(fee), s.AmountIn)
	} else {
		gross := u64(e, 64)
		if u64(e, 40) != s.AmountIn || gross-fee != s.AmountOut || gross < fee {
			return
		}
		setFee(s, float64(fee), gross)
	}
	s.ReservesKnown = true
	s.ReserveIn, s.ReserveOut = side(buy, quote, base)
	if s.ReserveIn > 0 {
		setSpot(s, float64(s.ReserveOut)/float64(s.ReserveIn))
	}
}
