package parser

// Raydium CPMM, a constant product pool for SPL Token and Token-2022.
//
// Layouts from raydium-io/raydium-cp-swap (programs/cp-swap/src, 2025-12-29) and
// its IDL in raydium-io/raydium-idl, read 2026-11, and the accounts seen in
// mainnet transactions. Data after the discriminator: two u64.
//
//	swap_base_input, swap_base_output
//	    3 pool, 4 user in, 5 user out, 6 vault in, 7 vault out, 10 mint in, 11 mint out
//
// SwapEvent is only logged: pool 32, input vault before u64, output vault before
// u64 (both without fees that are yet to be collected), input u64, output u64,
// input transfer fee u64, output transfer fee u64, base input bool; since late
// 2025 also input mint 32, output mint 32, trade fee u64, creator fee u64,
// creator fee on input bool. Input is what the vault received and output what it
// paid. What moved is the truth; the event, where it is there and agrees, gives
// the spot price (this trade's own protocol fee still counted as reserve, which
// the event does not part) and, in its longer form, the fee.
func raydiumCPMM() dex {
	return dex{
		name:    "raydium-cpmm",
		program: "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C",
		decode:  decodeRaydiumCPMM,
		logs:    true,
	}
}

const (
	cpmmSwapInput  = 0x8fbe5adac41e33de
	cpmmSwapOutput = 0x37d96256a34ab4ad
	cpmmSwapEvent  = 0x40c6cde8260871e2

	cpmmData      = 8 + 8 + 8
	cpmmAccounts  = 13
	cpmmEventSize = 32 + 6*8 + 1
	cpmmEventLong = cpmmEventSize + 32 + 32 + 8 + 8 + 1
)

func decodeRaydiumCPMM(c *call) (bool, reason) {
	switch discriminator(c.ix.Data) {
	case cpmmSwapInput, cpmmSwapOutput:
	default:
		return false, ""
	}
	if why := c.check(cpmmData, cpmmAccounts); why != "" {
		return true, why
	}
	s, why := c.exchange(venue{
		pool: c.account(3), vaultA: c.account(6), vaultB: c.account(7), dest: int16(c.account(5)),
	})
	if why != "" {
		return true, why
	}
	e := c.loggedEvent(cpmmSwapEvent, 0)
	if len(e) < cpmmEventSize || [32]byte(e[:32]) != s.Pool ||
		u64(e, 48) != s.AmountIn || u64(e, 56) != s.AmountOut {
		return true, ""
	}
	spotOf(s, u64(e, 32), s.AmountIn, u64(e, 40), s.AmountOut)
	if len(e) >= cpmmEventLong {
		trade, creator := u64(e, 145), u64(e, 153)
		if e[161] != 0 { // both fees of what came in
			feeOf(s, trade, creator)
		} else {
			feeOf(s, trade)
			feeOfOut(s, creator)
		}
	}
	return true, ""
}
