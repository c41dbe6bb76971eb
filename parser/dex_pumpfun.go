package parser

import (
	"encoding/binary"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Pump.fun, a bonding curve with virtual reserves. The curve account is the
// pool. SOL moves as lamports: on a buy by system transfers, on a sale without
// any, because the program lowers its own account's balance.
//
// Layouts from the program's IDL as @pump-fun/pump-sdk 2.0.0 ships it and from
// pump-fun/pump-public-docs, read 2026-11, and the events of mainnet
// transactions. Data after the discriminator: two u64 each.
//
//	buy, buy_exact_sol_in, sell
//	    2 mint, 3 curve, 4 its token account, 5 user's token account, 6 user
//	buy_v2, buy_exact_quote_in_v2, sell_v2
//	    1 mint, 2 quote mint, 10 curve, 11 its token account, 12 its quote
//	    account, 13 user, 14 user's token account, 15 user's quote account; with
//	    wrapped SOL as the quote mint native SOL moves all the same
//
// TradeEvent, sent to itself: mint 32, sol u64, token u64, is buy bool, user 32,
// time i64, virtual sol u64, virtual token u64, real sol u64, real token u64;
// since May 2025 also fee recipient 32, fee bps u64, fee u64, creator 32,
// creator fee bps u64, creator fee u64; later a bool, four numbers of
// volume, the instruction's name, a bool, cashback bps u64, cashback u64,
// buyback bps u64, buyback u64, a vector of creator shares (32 and u16 each),
// quote mint 32, quote u64, virtual quote u64, real quote u64. The sol amount is the curve's side, before
// fees. A buyback fee is part of the fee.
//
// What moved is the truth for the token, and for a quote that is a token. For
// SOL it is the event, held against the system transfer into the curve on a
// buy. An event that differs makes the instruction unread (event_mismatch).
// What the trader paid beside the trade (rent of new accounts) is left out of
// the trader's side. Reserves are the event's: right after this very trade.
//
// Progress is the part of the tokens for sale that is sold: 1 - real tokens /
// first real tokens, complete when no real token is left. The event does not state
// how many those were. A coin made with the program's parameters begins with
// 1,073,000,000 virtual and 793,100,000 real tokens (CreateEvent states both) and
// each trade takes the same from both, so such a coin is told by their difference,
// which is that of all 76 swaps of the mainnet transactions at hand. Of a coin that
// began otherwise progress is unknown.
func pumpFun() dex {
	return dex{
		name:    "pumpfun",
		program: "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P",
		decode:  decodePumpFun,
	}
}

const (
	pumpBuy          = 0x66063d1201daebea
	pumpBuyExactSol  = 0x38fc74089edfcd5f
	pumpSell         = 0x33e685a4017f83ad
	pumpBuyV2        = 0xb817ee6167c5d33d
	pumpBuyExactV2   = 0xc2ab1c46684d5b2f
	pumpSellV2       = 0x5df6823ce7e940b2
	pumpTrade        = 0xbddb7fd34ee661ee
	pumpData         = 8 + 8 + 8
	pumpTradeSize    = 32 + 8 + 8 + 1 + 32 + 8 + 4*8
	pumpTradeFees    = pumpTradeSize + 32 + 8 + 8 + 32 + 8 + 8
	pumpTradeName    = pumpTradeFees + 1 + 4*8 + 4
	pumpTradeTail    = 1 + 4*8
	pumpHolderSize   = 32 + 2
	pumpQuoteSize    = 32 + 3*8
	pumpDecimals     = 6
	solDecimals      = 9
	pumpOldAccounts  = 12
	pumpV2Accounts   = 26
	pumpV2QuoteVault = 12

	// What a coin begins with, raw units.
	pumpFirstVirtual = 1_073_000_000_000_000
	pumpFirstReal    = 793_100_000_000_000
)

// pumpTradeEvent is what is read of a TradeEvent.
type pumpTradeEvent struct {
	mint         solana.PublicKey
	user         solana.PublicKey
	buy          bool
	sol, token   uint64
	vSol, vToken uint64
	rSol, rToken uint64

	// feesKnown says that the event states fees: of the protocol, buyback
	// included, and of the creator. Coins that give the creator's part back to
	// the traders or to holders state it in rewards instead.
	feesKnown bool
	fee       uint64
	buyback   uint64
	creator   uint64
	rewards   uint64
	feeBps    uint64
}

// fees is all that a trade costs beside the curve's part.
func (e *pumpTradeEvent) fees() uint64 {
	if e.creator == 0 {
		return e.fee + e.rewards
	}
	return e.fee + e.creator
}

// part says that an amount is one of those that make up a trade.
func (e *pumpTradeEvent) part(amount uint64) bool {
	return amount == e.sol || amount == e.fee || amount == e.fee-e.buyback ||
		amount == e.buyback || amount == e.creator || amount == e.rewards
}

func decodePumpFun(c *call) (bool, reason) {
	switch discriminator(c.ix.Data) {
	case pumpBuy, pumpBuyExactSol, pumpSell:
		return true, c.pumpTrade(pumpOldAccounts, pumpAccounts{mint: 2, curve: 3, vault: 4, userToken: 5, user: 6})
	case pumpBuyV2, pumpBuyExactV2, pumpSellV2:
		return true, c.pumpTrade(pumpV2Accounts, pumpAccounts{mint: 1, curve: 10, vault: 11, userToken: 14, user: 13, v2: true})
	}
	return false, ""
}

// pumpAccounts are positions in the instruction's accounts.
type pumpAccounts struct {
	mint, curve, vault, userToken, user int
	v2                                  bool
}

func (c *call) pumpTrade(accounts int, a pumpAccounts) reason {
	if why := c.check(pumpData, accounts); why != "" {
		return why
	}
	e, ok := readPumpTrade(c.event(pumpTrade))
	if !ok {
		return noEvent
	}
	if e.mint != c.key(a.mint) {
		return eventMismatch
	}
	if a.v2 && c.touches(c.account(pumpV2QuoteVault)) {
		return c.pumpToken(a, &e)
	}
	return c.pumpSol(a, &e)
}

// readPumpTrade reads a TradeEvent of any age.
func readPumpTrade(d []byte) (e pumpTradeEvent, ok bool) {
	if len(d) < pumpTradeSize {
		return e, false
	}
	e.mint, e.user = solana.PublicKey(d[:32]), solana.PublicKey(d[49:81])
	e.sol, e.token, e.buy = u64(d, 32), u64(d, 40), d[48] != 0
	e.vSol, e.vToken, e.rSol, e.rToken = u64(d, 89), u64(d, 97), u64(d, 105), u64(d, 113)
	if len(d) >= pumpTradeFees {
		e.feesKnown = true
		e.feeBps = u64(d, 153) + u64(d, 201)
		e.fee, e.creator = u64(d, 161), u64(d, 209)
	}
	// After the volume fields stands the instruction's name, of any length.
	if len(d) < pumpTradeName {
		return e, true
	}
	name := int(binary.LittleEndian.Uint32(d[pumpTradeName-4:]))
	if name > len(d) || len(d) < pumpTradeName+name+pumpTradeTail {
		return e, true
	}
	tail := d[pumpTradeName+name:]
	e.feeBps += u64(tail, 1)
	e.rewards, e.buyback = u64(tail, 9), u64(tail, 25)
	// Then the shareholders of the creator's fee, and the quote, which stands
	// for the SOL fields where the coin is traded against a token.
	if tail = tail[pumpTradeTail:]; len(tail) < 4 {
		return e, true
	}
	skip := 4 + uint64(binary.LittleEndian.Uint32(tail))*pumpHolderSize
	if uint64(len(tail)) >= skip+pumpQuoteSize {
		tail = tail[skip:]
		e.sol, e.vSol, e.rSol = u64(tail, 32), u64(tail, 40), u64(tail, 48)
	}
	return e, true
}

// touches reports that one of the call's token transfers touches an account.
func (c *call) touches(account uint8) bool {
	for i := range c.tokens {
		if c.tokens[i].from == account || c.tokens[i].to == account {
			return true
		}
	}
	return false
}

// pumpToken reads a trade whose quote is a token: both sides are transfers.
func (c *call) pumpToken(a pumpAccounts, e *pumpTradeEvent) reason {
	dest := c.account(a.userToken)
	if !e.buy {
		dest = c.account(a.userToken + 1)
	}
	s, why := c.exchange(venue{
		pool: c.account(a.curve), vaultA: c.account(a.vault), vaultB: c.account(pumpV2QuoteVault), dest: int16(dest),
	})
	if why != "" {
		return why
	}
	token, quote := s.AmountIn, s.AmountOut
	if e.buy {
		token, quote = s.AmountOut, s.AmountIn
	}
	if token != e.token || quote != e.sol {
		return eventMismatch
	}
	e.curve(s)
	return ""
}

// curve sets what the event tells of the curve right after the trade.
func (e *pumpTradeEvent) curve(s *swapcast.Swap) {
	s.ReservesKnown, s.VirtualKnown = true, true
	if e.buy {
		s.ReserveIn, s.ReserveOut, s.VirtualIn, s.VirtualOut = e.rSol, e.rToken, e.vSol, e.vToken
	} else {
		s.ReserveIn, s.ReserveOut, s.VirtualIn, s.VirtualOut = e.rToken, e.rSol, e.vToken, e.vSol
	}
	s.Curve = e.progress()
	if s.VirtualIn > 0 {
		setSpot(s, float64(s.VirtualOut)/float64(s.VirtualIn))
	}
	if e.feesKnown && e.feeBps <= 10_000 {
		s.FeeBps = int32(e.feeBps)
	}
}

// progress is how far the curve has come.
func (e *pumpTradeEvent) progress() swapcast.Curve {
	switch {
	case e.rToken == 0:
		return swapcast.CurveAt(1, 1)
	case e.rToken > pumpFirstReal || e.vToken-e.rToken != pumpFirstVirtual-pumpFirstReal:
		return swapcast.Curve{Stage: swapcast.CurveTrading}
	}
	return swapcast.CurveAt(float64(pumpFirstReal-e.rToken), pumpFirstReal)
}

// pumpSol reads a trade against SOL.
func (c *call) pumpSol(a pumpAccounts, e *pumpTradeEvent) reason {
	moved, user, why := c.pumpMoved(c.account(a.vault), e.buy)
	if why != "" {
		return why
	}
	if moved != e.token || (e.buy && !c.paidIn(c.account(a.curve), e.sol)) {
		return eventMismatch
	}
	if moved == 0 || e.sol == 0 {
		return zeroAmount
	}
	decimals := uint8(pumpDecimals)
	if r := c.p.rows.row(c.tx, c.account(a.vault)); r != nil {
		decimals = r.Decimals
	}
	s := c.add(c.account(a.curve))
	s.Trader = c.pumpTrader(a, e)
	e.curve(s)
	if e.buy {
		s.MintIn, s.DecimalsIn = swapcast.NativeMint(), solDecimals
		s.MintOut, s.DecimalsOut = e.mint, decimals
		s.AmountIn, s.AmountOut, s.UserAmountOut = e.sol, moved, user
		s.UserAmountIn, why = c.pumpPaid(a, e)
	} else {
		s.MintIn, s.DecimalsIn = e.mint, decimals
		s.MintOut, s.DecimalsOut = swapcast.NativeMint(), solDecimals
		s.AmountIn, s.AmountOut, s.UserAmountIn = moved, e.sol, user
		s.UserAmountOut = c.pumpGot(e)
	}
	return why
}

// pumpTrader is the event's user, unless that is a router's own account through
// which a seller's tokens passed.
func (c *call) pumpTrader(a pumpAccounts, e *pumpTradeEvent) solana.PublicKey {
	if !e.buy && !c.signed(e.user) {
		for i := range c.tokens {
			if c.tokens[i].to == c.account(a.vault) {
				return c.trader(&c.tokens[i])
			}
		}
	}
	return e.user
}

// pumpMoved sums what the curve's token account gained or lost, and the user's
// side of it.
func (c *call) pumpMoved(vault uint8, buy bool) (curve, user uint64, why reason) {
	for i := range c.tokens {
		t := &c.tokens[i]
		var ok bool
		switch {
		case buy && t.from == vault && t.to != vault:
			got, known := c.p.received(t)
			if !known {
				return 0, 0, transferFee
			}
			user += got
			curve, ok = add(curve, t.amount)
		case !buy && t.to == vault && t.from != vault:
			got, known := c.p.received(t)
			if !known {
				return 0, 0, transferFee
			}
			user += t.amount
			curve, ok = add(curve, got)
		default:
			continue
		}
		if !ok {
			return 0, 0, overflow
		}
	}
	return curve, user, ""
}

// paidIn reports that lamports went into an account in one transfer.
func (c *call) paidIn(account uint8, lamports uint64) bool {
	for i := range c.lamports {
		if c.lamports[i].to == account && c.lamports[i].amount == lamports {
			return true
		}
	}
	return false
}

// pumpPaid is what a buyer gave for the trade: the lamports that left for the
// curve and for fees. Rent of accounts that the program had to fill up is told
// from them by the event's amounts; events of before fees were stated come with
// just the two transfers.
func (c *call) pumpPaid(a pumpAccounts, e *pumpTradeEvent) (sum uint64, why reason) {
	for i := range c.lamports {
		t := &c.lamports[i]
		if t.from != c.account(a.user) || (e.feesKnown && !e.part(t.amount)) {
			continue
		}
		var ok bool
		if sum, ok = add(sum, t.amount); !ok {
			return 0, overflow
		}
	}
	return max(sum, e.sol), ""
}

// pumpGot is what a seller received: the curve's part less the fees. Events of
// before fees were stated leave them to the rate of that time, 1%, which was
// rounded down at first and up later: what the fee's recipient gained tells,
// where nothing else moved its lamports.
func (c *call) pumpGot(e *pumpTradeEvent) uint64 {
	fees := e.fees()
	if !e.feesKnown {
		fees = e.sol / 100
		if at := int(c.account(pumpFeeAccount)); at < len(c.tx.PreBalances) && at < len(c.tx.PostBalances) &&
			c.tx.PostBalances[at]-c.tx.PreBalances[at] == fees+1 && e.sol%100 != 0 {
			fees++
		}
	}
	return e.sol - min(fees, e.sol)
}

// pumpFeeAccount is the fee recipient's place in the first form; the second came
// with events that state fees.
const pumpFeeAccount = 1
