package parser

import (
	"slices"

	"github.com/swapcast/swapcast"
)

// Moonshot (Moonit), bonding curves against SOL. The curve account is the pool
// and holds the lamports itself.
//
// Layouts from the program's IDL as sevenlabs-hq/carbon's decoder holds it
// (2026-04-30), read 2026-11, and the accounts and event of a mainnet transaction
// (a buy). Data after the discriminator: token amount u64, collateral amount u64,
// fixed side u8, slippage bps u64.
//
//	buy, sell
//	    0 sender, 1 sender's token account, 2 curve, 3 curve's token account, 4
//	    dex fee, 5 helio fee, 6 mint
//
// A buyer pays the curve and both fees by system transfers. On a sale the program
// lowers the curve's lamports without any: what the curve lost is told by its
// balances, provided that it sold once only in this transaction and nothing but
// trades touched it; else the sale is unread (no_event).
//
// TradeEvent is only logged: amount u64, collateral u64, dex fee u64, helio fee
// u64, allocation u64 (tokens sold so far), curve 32, cost token 32, sender 32,
// type u8, label string. Collateral is the curve's side: on a sale the fees are
// part of it (as public parsers' tests hold it against balances; no sale was at
// hand). The event, where it is there and agrees, gives a sale's fees and so the
// seller's side; where it is not they are unknown and the seller's side is shown
// as the curve's. Virtual reserves and price are not stated; the reserve of
// lamports includes the account's rent.
//
// Progress is unknown: the allocation says how much is sold, but how much is for
// sale stands in the curve's account alone.
func moonshot() dex {
	return dex{
		name:    "moonshot",
		program: "MoonCVVNZFSYkqNXP6bxHLPL6QQJiMagDL3qcqUQTrG",
		decode:  decodeMoonshot,
		logs:    true,
	}
}

const (
	moonBuy   = 0x66063d1201daebea
	moonSell  = 0x33e685a4017f83ad
	moonEvent = 0xbddb7fd34ee661ee

	moonData      = 8 + 8 + 8 + 1 + 8
	moonAccounts  = 11
	moonEventSize = 5*8 + 3*32 + 1
)

func decodeMoonshot(c *call) (bool, reason) {
	buy := false
	switch discriminator(c.ix.Data) {
	case moonBuy:
		buy = true
	case moonSell:
	default:
		return false, ""
	}
	if why := c.check(moonData, moonAccounts); why != "" {
		return true, why
	}
	n := native{pool: c.account(2), vault: c.account(3), sol: c.account(2), buy: buy}
	if buy {
		return true, c.moonBought(n)
	}
	return true, c.moonSold(n)
}

func (c *call) moonBought(n native) reason {
	fees, _, why := c.paid(c.account(4))
	if why == "" && c.account(5) != c.account(4) {
		var more uint64
		if more, _, why = c.paid(c.account(5)); why == "" {
			var ok bool
			if fees, ok = add(fees, more); !ok {
				return overflow
			}
		}
	}
	if why != "" {
		return why
	}
	if n.curve, _, why = c.paid(n.sol); why != "" {
		return why
	}
	var ok bool
	if n.user, ok = add(n.curve, fees); !ok {
		return overflow
	}
	s, why := c.nativeSwap(n)
	if why != "" {
		return why
	}
	s.Trader = c.buyer(c.account(0))
	s.Curve.Stage = swapcast.CurveTrading
	setFee(s, float64(fees), n.user)
	return ""
}

func (c *call) moonSold(n native) reason {
	sold, ok := c.moonLost(n.sol)
	if !ok {
		return noEvent
	}
	n.curve, n.user = sold, sold
	e := c.loggedEvent(moonEvent, 0)
	known := len(e) >= moonEventSize && u64(e, 8) == sold && [32]byte(e[40:72]) == c.key(2)
	if known {
		fees, fits := add(u64(e, 16), u64(e, 24))
		if known = fits && fees < sold; known {
			n.user = sold - fees
		}
	}
	s, why := c.nativeSwap(n)
	if why != "" {
		return why
	}
	s.Trader = c.buyer(c.account(0))
	s.Curve.Stage = swapcast.CurveTrading
	c.seller(n.vault, s)
	if known {
		setFee(s, float64(n.curve-n.user), n.curve)
	}
	return ""
}

// moonLost tells what a curve's only sale in the transaction took out of it: what
// it had and was paid, less what it has.
func (c *call) moonLost(curve uint8) (lost uint64, ok bool) {
	if int(curve) >= len(c.tx.PreBalances) || int(curve) >= len(c.tx.PostBalances) {
		return 0, false
	}
	had, has, sales := c.tx.PreBalances[curve], c.tx.PostBalances[curve], 0
	for i := range c.tx.Instructions {
		ix := &c.tx.Instructions[i]
		if c.p.kindOf(ix) == kindSystem {
			if t, is := lamportMove(ix, c.p.keys); is && t.to == curve && t.from != curve {
				if had, is = add(had, t.amount); !is {
					return 0, false
				}
			}
			continue
		}
		if int(ix.Program) >= c.p.keys || ix.Program != c.ix.Program || !slices.Contains(ix.Accounts, curve) {
			continue
		}
		switch discriminator(ix.Data) {
		case moonBuy:
		case moonSell:
			sales++
		default:
			return 0, false // made, migrated: rent and more moves
		}
	}
	return had - has, sales == 1 && had > has && c.tx.PreBalances[curve] > 0
}
