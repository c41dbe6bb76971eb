package parser

// HumidiFi, a market maker that prices from its own oracle.
//
// The program publishes no layout and hides its data: each 8 bytes are XORed
// with a fixed key and with their number, four times 16 bits. The key and the
// form are in several public routers, read 2026-11; with them a mainnet swap's
// amount is what its transfer moved. The instruction is the last byte:
//
//	 4 swap       id u64, amount u64, direction u8, seven zeros, instruction u8
//	15 swap_v2    the same
//	20 swap_v3    the same
//	    0 user, 1 pool, 2 and 3 vaults, 4 and 5 user, 6 clock, 7 token program,
//	    8 instructions sysvar; the later two have five accounts more
//	13            65 bytes, moves nothing: the oracle's update, never a swap
//
// Only 4 and 13 were seen on the chain here; the later two are known from public
// clients alone. There is no event: what moved is all.
func humidifi() dex {
	return dex{
		name:    "humidifi",
		program: "9H6tua7jkLhdm3w8BvgpTn5LZNU7g4ZynDmCiNN3q6Rp",
		decode:  decodeHumidifi,
	}
}

const (
	humidifiSwap   = 4
	humidifiSwapV2 = 15
	humidifiSwapV3 = 20

	// humidifiMask is what the byte at 24 is hidden with: the key's first byte and
	// the number of the fourth 8 bytes.
	humidifiMask = 0x3a ^ 3

	humidifiData     = 8 + 8 + 1 + 7 + 1
	humidifiAccounts = 9
)

func decodeHumidifi(c *call) (bool, reason) {
	d := c.ix.Data
	if len(d) < humidifiData {
		// Too short to say what it is: a swap by what it moved, if any.
		if c.opposed() {
			return true, shortData
		}
		return false, ""
	}
	if len(d) > humidifiData {
		return false, ""
	}
	switch d[humidifiData-1] ^ humidifiMask {
	case humidifiSwap, humidifiSwapV2, humidifiSwapV3:
	default:
		return false, ""
	}
	if why := c.check(humidifiData, humidifiAccounts); why != "" {
		return true, why
	}
	_, why := c.exchange(venue{pool: c.account(1), vaultA: c.account(2), vaultB: c.account(3), dest: -1})
	return true, why
}
