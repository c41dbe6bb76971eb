package parser

// Stabble, stable and weighted pools of several tokens. Two programs, one
// layout: the weighted one is named stabble-weighted.
//
// Layouts from the programs' IDLs as sevenlabs-hq/carbon's decoders hold them
// (2026-04-30), read 2026-11, and the accounts of mainnet transactions. No real
// transaction of the weighted program was at hand. Data after the discriminator:
// option of amount in u64, minimum out u64.
//
//	swap
//	    0 user, 1 user in, 2 user out, 3 vault in, 4 vault out, 5 beneficiary,
//	    6 pool
//	swap_v2
//	    0 user, 1 mint in, 2 mint out, 3 user in, 4 user out, 5 vault in, 6 vault
//	    out, 7 beneficiary, 8 pool
//
// The trader pays the vault directly; what comes out is moved by the vault
// program vo1t..., which the pool calls: first the beneficiary's part of the
// fee, then the trader's. Both left the pool and are in AmountOut.
//
// The token accounts are shared by all pools of one vault, so they tell no
// reserves of a pool. PoolBalanceUpdated is only logged and holds scaled
// balances without mints, so that the two traded ones cannot be told: it is not
// read. Reserves, price and the whole fee are unknown.
func stabble() dex {
	return dex{
		name:    "stabble",
		program: "swapNyd8XiQwJ6ianp9snpu4brUqFxadzvHebnAXjJZ",
		decode:  decodeStabble,
	}
}

func stabbleWeighted() dex {
	return dex{
		name:    "stabble-weighted",
		program: "swapFpHZwjELNnjvThjajtiVmkz3yPQEHjLtka2fwHW",
		decode:  decodeStabble,
	}
}

const (
	stabbleSwap       = 0xf8c69e91e17587c8
	stabbleSwapV2     = 0x2b04ed0b1ac91e62
	stabbleData       = 8 + 1 + 8 // without an amount in
	stabbleAccounts   = 12
	stabbleV2Accounts = 15
)

func decodeStabble(c *call) (bool, reason) {
	accounts, first, pool := stabbleAccounts, 1, 6
	switch discriminator(c.ix.Data) {
	case stabbleSwap:
	case stabbleSwapV2:
		accounts, first, pool = stabbleV2Accounts, 3, 8
	default:
		c.gather() // an unknown one that trades is told by what the vault program moved
		return false, ""
	}
	data := stabbleData
	if len(c.ix.Data) > 8 && c.ix.Data[8] != 0 {
		data += 8
	}
	if why := c.check(data, accounts); why != "" {
		return true, why
	}
	c.gather()
	s, why := c.exchange(venue{
		pool: c.account(pool), vaultA: c.account(first + 2), vaultB: c.account(first + 3), dest: int16(c.account(first + 1)),
	})
	if why != "" {
		return true, why
	}
	s.ReservesKnown, s.ReserveIn, s.ReserveOut = false, 0, 0
	return true, ""
}
