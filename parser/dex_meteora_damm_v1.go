package parser

import (
	"math/bits"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Meteora DAMM v1 (dynamic pools): constant product and stable pools whose
// tokens lie in Meteora's dynamic vaults.
//
// Layouts from the program's IDL as @meteora-ag/dynamic-amm-sdk 1.4.1 ships it,
// read 2026-11, and the accounts of mainnet transactions. Data after the
// discriminator: amount in u64, minimum out u64.
//
//	swap
//	    0 pool, 1 user in, 2 user out, 3 vault a, 4 vault b, 5 token account of
//	    vault a, 6 of vault b, 7 lp mint a, 8 lp mint b, 9 the pool's lp tokens
//	    of vault a, 10 of vault b, 11 protocol fee, 12 user, 13 vault program
//
// A vault serves many pools; a pool owns a share of it, in lp tokens. A swap pays
// into one vault, which mints lp tokens to the pool, and burns lp tokens of the
// other, which pays the trader: the vault program moves the tokens. The pool's
// side is what the two vaults' token accounts received and paid: that is what the
// pool's shares were changed for. The protocol's fee goes from the trader
// straight to its own account, so UserAmountIn is more than AmountIn.
//
// The vaults' balances are no reserves of the pool. Those are worked out: the
// pool's lp tokens after the transaction, at the rate of tokens for lp tokens
// that the vault gave for this very swap. Where so few lp tokens moved that the
// rate is worse than a basis point, reserves are unknown.
//
// Swap is only logged: in u64, out u64, trade fee u64, protocol fee u64, host fee
// u64. Its in is a bit less than what moved where the vault's share was rounded.
// What moved is the truth; the event, where it is there and its out agrees, gives
// the fee (trade and protocol fee together; unknown where a host takes part). The
// price is unknown: nothing says whether the pool is a stable one.
func meteoraDAMMv1() dex {
	return dex{
		name:    "meteora-damm-v1",
		program: "Eo7WjKq67rjJQSZxS6z3YkapzY3eMj6Xy8X5EQVn5UaB",
		decode:  decodeDAMMv1,
		logs:    true,
	}
}

const (
	damm1Swap  = 0xf8c69e91e17587c8
	damm1Event = 0x516ce3becdd00ac4

	// Anchor's deposit and withdraw, of the vault program in the same transactions.
	vaultDeposit  = 0xf223c68952e1f2b6
	vaultWithdraw = 0xb712469c946da122

	damm1Data      = 8 + 8 + 8
	damm1Accounts  = 15
	damm1EventSize = 5 * 8

	// damm1MinLP is how many lp tokens must have moved for a rate good to a basis
	// point: each side is rounded to one unit.
	damm1MinLP = 20_000
)

func decodeDAMMv1(c *call) (bool, reason) {
	if discriminator(c.ix.Data) != damm1Swap {
		return c.damm1Unknown()
	}
	if why := c.check(damm1Data, damm1Accounts); why != "" {
		return true, why
	}
	c.gather()
	s, why := c.exchange(venue{
		pool: c.account(0), vaultA: c.account(5), vaultB: c.account(6), dest: int16(c.account(2)),
	})
	if why != "" {
		return true, why
	}
	c.damm1Reserves(s)
	e := c.loggedEvent(damm1Event, 0)
	if len(e) >= damm1EventSize && u64(e, 0) <= s.UserAmountIn && u64(e, 8) == s.AmountOut && u64(e, 32) == 0 {
		setFee(s, float64(u64(e, 16))+float64(u64(e, 24)), u64(e, 0))
	}
	return true, ""
}

// damm1Unknown tells an unknown instruction that trades: only a swap puts tokens
// into one vault and takes some from another. Liquidity and fees go one way.
func (c *call) damm1Unknown() (bool, reason) {
	var in, out bool
	for i := c.pos + 1; i < c.end; i++ {
		ix := &c.tx.Instructions[i]
		if !c.owns(ix) || c.p.kindOf(ix) != kindLeaf {
			continue
		}
		in = in || discriminator(ix.Data) == vaultDeposit
		out = out || discriminator(ix.Data) == vaultWithdraw
	}
	if in && out {
		return true, unknownInstruction
	}
	return false, ""
}

// damm1Reserves works the pool's reserves out of its shares of the vaults.
func (c *call) damm1Reserves(s *swapcast.Swap) {
	s.ReservesKnown, s.ReserveIn, s.ReserveOut = false, 0, 0
	in, out := c.account(9), c.account(10)
	if c.mintAt(5) != s.MintIn {
		in, out = out, in
	}
	minted, burned := c.shares(in, tokenMintTo, tokenMintToChecked), c.shares(out, tokenBurn, tokenBurnChecked)
	_, lpIn, okIn := c.p.rows.balance(c.tx, in)
	_, lpOut, okOut := c.p.rows.balance(c.tx, out)
	if !okIn || !okOut || minted < damm1MinLP || burned < damm1MinLP {
		return
	}
	a, okA := mulDiv(lpIn, s.AmountIn, minted)
	b, okB := mulDiv(lpOut, s.AmountOut, burned)
	if okA && okB {
		s.ReservesKnown, s.ReserveIn, s.ReserveOut = true, a, b
	}
}

// mintAt tells the mint of one of the instruction's token accounts.
func (c *call) mintAt(at int) solana.PublicKey {
	m, _, _ := c.mintOf(c.account(at), c.tokens)
	return m
}

// Token instructions that make and destroy tokens (spl-token's TokenInstruction,
// read 2026-11): MintTo has mint, destination; Burn has source, mint.
const (
	tokenMintTo        = 7
	tokenBurn          = 8
	tokenMintToChecked = 14
	tokenBurnChecked   = 15
)

// shares sums what was minted to, or burned from, an account by the call.
func (c *call) shares(account uint8, plain, checked byte) (sum uint64) {
	at := 0
	if plain == tokenMintTo {
		at = 1
	}
	for i := c.pos + 1; i < c.end; i++ {
		ix := &c.tx.Instructions[i]
		if c.p.kindOf(ix) != kindToken || len(ix.Data) < 9 || len(ix.Accounts) < 3 || ix.Accounts[at] != account {
			continue
		}
		if ix.Data[0] == plain || ix.Data[0] == checked {
			sum += u64(ix.Data, 1)
		}
	}
	return sum
}

// mulDiv is a*b/by where it fits.
func mulDiv(a, b, by uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= by {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, by)
	return q, true
}
