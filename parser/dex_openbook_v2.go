package parser

// OpenBook v2, an order book whose takers may settle at once.
//
// Layouts from the program's IDL as @openbook-dex/openbook-v2 0.2.10 ships it, read
// 2026-11. The corpus holds placements and settlements of market makers only
// (cancel_all_and_place_orders, settle_funds), no take: no real sample of
// place_take_order was at hand, and its layout is the IDL's alone. Data after the
// discriminator: side u8, price lots i64, base lots i64, quote lots i64, order
// type u8, limit u8.
//
//	place_take_order
//	    0 signer, 1 penalty payer, 2 market, 3 market authority, 4 bids, 5 asks,
//	    6 base vault, 7 quote vault, 8 event heap, 9 user base, 10 user quote,
//	    11 and 12 oracles, 13 token program, 14 system program, 15 admin; other
//	    versions of the IDL have a referrer at 11
//
// A take that filled nothing moves nothing and is no swap. All other orders
// change an open orders account and pay in what they need; what they fill is
// credited there and withdrawn by settle_funds at any later time, with everything
// else: neither is a swap. A referrer is paid of the quote vault, which is then
// part of AmountOut or less AmountIn. Price and fee are not shown.
func openbookV2() dex {
	return dex{
		name:    "openbook-v2",
		program: "opnb2LAfJYbRMAHHvqjCwQxanZn7ReEHp1k81EohpZb",
		decode:  decodeOpenbookV2,
	}
}

const (
	openbookTake = 0x032c47031ac7cb55

	openbookData     = 8 + 1 + 8 + 8 + 8 + 1 + 1
	openbookAccounts = 16
)

func decodeOpenbookV2(c *call) (bool, reason) {
	if discriminator(c.ix.Data) != openbookTake {
		return false, ""
	}
	if why := c.check(openbookData, openbookAccounts); why != "" {
		return true, why
	}
	if len(c.tokens) == 0 {
		return false, ""
	}
	_, why := c.exchange(venue{pool: c.account(2), vaultA: c.account(6), vaultB: c.account(7), dest: -1})
	return true, why
}
