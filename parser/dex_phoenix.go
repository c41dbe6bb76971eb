package parser

// Phoenix v1, an order book that settles at once.
//
// Layouts from @ellipsis-labs/phoenix-sdk 2.0.3 and the accounts that the
// program's instruction enum names, read 2026-11, and mainnet transactions. The
// first byte is the instruction:
//
//	0 swap                    1 log authority, 2 market, 3 trader, 4 base account,
//	                          5 quote account, 6 base vault, 7 quote vault
//	1 swap_with_free_funds    2 market
//	2 place_limit_order       the same with 4 seat, 7 and 8 the vaults
//	3 place_limit_order_with_free_funds
//	15 log                    the events, sent to itself after the transfers
//
// An order packet follows: kind u8 (2 immediate or cancel), side u8, price
// option, base lots u64, quote lots u64, two minima u64, self trade u8, match
// limit option, client id u128, free funds only bool; later two options more.
//
// A log holds a header (1, instruction u8, sequence u64, time i64, slot u64,
// market 32, signer 32, number of events u16) and events, each a kind u8 and a
// number u16 before its fields: 2 fill, 3 place, 4 reduce, 5 evict, 6 fill
// summary (client id u128, base lots filled u64, quote lots that the taker gave or
// got u64, fee in quote lots u64), 7 fee, 8 time in force, 9 expired order.
//
// Only a take is a swap: an instruction that filled nothing is none, nor is one
// that places, reduces or cancels. What moved is the truth. A trader with a seat
// may pay out of funds that lie in the market already, so that less moves than
// was traded: moved amounts that are no whole number of the lots that the
// summary states make the instruction Unparsed (event_mismatch), one side that
// did not move at all zero_amount, and neither no_transfers. Lot sizes stand in
// no transaction, so free funds that leave whole lots a unit cannot be told.
// A limit order that crosses the book both trades and posts with one transfer;
// it is Unparsed (unknown_instruction).
func phoenix() dex {
	return dex{
		name:    "phoenix",
		program: "PhoeNiXZ8ByJGLkxNfZRnkUfjvmuYqLR89jjFHGqdXY",
		decode:  decodePhoenix,
	}
}

const (
	phoenixSwap      = 0
	phoenixSwapFree  = 1
	phoenixLimit     = 2
	phoenixLimitFree = 3
	phoenixLog       = 15

	phoenixData     = 55
	phoenixAccounts = 9

	phoenixHeader      = 1 + 1 + 1 + 8 + 8 + 8 + 32 + 32 + 2
	phoenixFillSummary = 6
)

// phoenixEventSize is the size of an event, its kind and number included, or 0
// for a kind that is not known.
func phoenixEventSize(kind byte) int {
	switch kind {
	case 2:
		return 3 + 32 + 4*8
	case 3:
		return 3 + 8 + 16 + 2*8
	case 4:
		return 3 + 4*8
	case 5, 9:
		return 3 + 32 + 3*8
	case phoenixFillSummary:
		return 3 + 16 + 3*8
	case 7:
		return 3 + 8
	case 8:
		return 3 + 3*8
	}
	return 0
}

// phoenixFill is what a fill summary states, in lots.
type phoenixFill struct{ base, quote, fee uint64 }

// phoenixFilled finds the fill summary among the events of the call. A node
// that records no stack heights ends the call before its log: then there is
// none.
func (c *call) phoenixFilled() (f phoenixFill, ok bool) {
	for i := c.pos + 1; i < c.end; i++ {
		ix := &c.tx.Instructions[i]
		if ix.Program != c.ix.Program || !c.owns(ix) || len(ix.Data) < phoenixHeader || ix.Data[0] != phoenixLog {
			continue
		}
		for d := ix.Data[phoenixHeader:]; len(d) > 0; {
			size := phoenixEventSize(d[0])
			if size == 0 || size > len(d) {
				break
			}
			if d[0] == phoenixFillSummary {
				return phoenixFill{base: u64(d, 19), quote: u64(d, 27), fee: u64(d, 35)}, true
			}
			d = d[size:]
		}
	}
	return f, false
}

func decodePhoenix(c *call) (bool, reason) {
	if len(c.ix.Data) == 0 {
		return false, ""
	}
	switch c.ix.Data[0] {
	case phoenixSwap:
		return c.phoenixTake()
	case phoenixSwapFree:
		if f, ok := c.phoenixFilled(); ok && f.base > 0 {
			return true, noTransfers
		}
	case phoenixLimit, phoenixLimitFree:
		if f, ok := c.phoenixFilled(); ok && f.base > 0 {
			return true, unknownInstruction
		}
	}
	return false, ""
}

func (c *call) phoenixTake() (bool, reason) {
	if why := c.check(phoenixData, phoenixAccounts); why != "" {
		return true, why
	}
	f, known := c.phoenixFilled()
	if len(c.tokens) == 0 && f.base == 0 {
		return false, "" // nothing on the book at that price
	}
	base := c.account(6)
	s, why := c.exchange(venue{pool: c.account(2), vaultA: base, vaultB: c.account(7), dest: -1})
	if why != "" || !known {
		return true, why
	}
	baseMoved, quoteMoved, gross := s.AmountIn, s.AmountOut, f.quote+f.fee
	if mint, _, ok := c.mintOf(base, c.tokens); ok && mint == s.MintOut {
		baseMoved, quoteMoved, gross = s.AmountOut, s.AmountIn, f.quote
	}
	if f.base == 0 || f.quote == 0 || baseMoved%f.base != 0 || quoteMoved%f.quote != 0 {
		return true, eventMismatch
	}
	setFee(s, float64(f.fee), gross)
	return true, ""
}
