package parser

import "github.com/swapcast/swapcast"

// Boop, bonding curves against SOL. The curve account is the pool; its lamports
// lie in an account of their own, its tokens in another.
//
// Layouts from the program's IDL as sevenlabs-hq/carbon's decoder holds it
// (2026-04-30), read 2026-11, and the accounts and event of a mainnet
// transaction (a sale). Data after the discriminator: two u64.
//
//	buy_token
//	    0 mint, 1 curve, 2 fees vault, 3 curve's tokens, 4 curve's lamports,
//	    5 recipient's token account, 6 buyer
//	sell_token
//	    0 to 4 the same, 5 seller's token account, 6 seller, 7 recipient
//
// All SOL moves by system transfers, sales too: the curve pays the recipient and,
// of what it gives, the fee into the fees vault. TokenBought and TokenSold are
// only logged (mint 32, in u64, out u64, fee u64, two keys) and say nothing that
// the transfers do not: they are not read. What moved is the truth. AmountIn and
// AmountOut are what the curve's lamports gained and lost, the fee is what the
// fees vault gained. Virtual reserves and price are not stated; the reserves'
// lamports include the account's rent. Progress is unknown: what is to be raised
// stands in the curve's account alone.
func boop() dex {
	return dex{
		name:    "boop",
		program: "boop8hVGQGqehUK2iVEMEnMrL5RbjywRzHKBmBE7ry4",
		decode:  decodeBoop,
	}
}

const (
	boopBuy      = 0x8a7f0e5b26577369
	boopSell     = 0x6d3d28bbe6b087ae
	boopData     = 8 + 8 + 8
	boopAccounts = 12
)

func decodeBoop(c *call) (bool, reason) {
	buy := false
	switch discriminator(c.ix.Data) {
	case boopBuy:
		buy = true
	case boopSell:
	default:
		return false, ""
	}
	if why := c.check(boopData, boopAccounts); why != "" {
		return true, why
	}
	in, out, why := c.paid(c.account(4))
	if why != "" {
		return true, why
	}
	fee, _, why := c.paid(c.account(2))
	if why != "" {
		return true, why
	}
	n := native{pool: c.account(1), vault: c.account(3), sol: c.account(4), buy: buy}
	if buy {
		if out >= in {
			return true, zeroAmount
		}
		n.curve = in - out
		n.user = n.curve + fee // the rent of new accounts is no part of the trade
	} else {
		if in >= out || fee >= out-in {
			return true, zeroAmount
		}
		n.curve = out - in
		n.user = n.curve - fee
	}
	s, why := c.nativeSwap(n)
	if why != "" {
		return true, why
	}
	setFee(s, float64(fee), max(n.curve, n.user))
	s.Trader = c.buyer(c.account(6))
	s.Curve.Stage = swapcast.CurveTrading
	if !buy {
		c.seller(n.vault, s)
	}
	return true, ""
}
