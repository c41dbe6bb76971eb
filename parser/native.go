package parser

import (
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// native is a bonding curve's trade against SOL that moves as lamports. Places
// are positions in the keys.
type native struct {
	pool  uint8
	vault uint8 // the curve's token account
	sol   uint8 // the account that holds its lamports
	buy   bool

	curve, user uint64 // lamports: the curve's side, the trader's side
}

// nativeSwap adds a swap of a token, which moved by transfers to or from the
// curve's account, against lamports. The caller sets the trader.
func (c *call) nativeSwap(n native) (*swapcast.Swap, reason) {
	token, userToken, why := c.pumpMoved(n.vault, n.buy)
	if why != "" {
		return nil, why
	}
	if token == 0 && !c.touches(n.vault) {
		return nil, noTransfers
	}
	if token == 0 || n.curve == 0 {
		return nil, zeroAmount
	}
	mint, decimals, ok := c.mintOf(n.vault, c.tokens)
	if !ok {
		return nil, unknownMint
	}
	s := c.add(n.pool)
	_, left, known := c.p.rows.balance(c.tx, n.vault)
	lamports := uint64(0)
	if int(n.sol) < len(c.tx.PostBalances) {
		lamports = c.tx.PostBalances[n.sol]
	} else {
		known = false
	}
	if n.buy {
		s.MintIn, s.DecimalsIn, s.MintOut, s.DecimalsOut = swapcast.NativeMint(), solDecimals, mint, decimals
		s.AmountIn, s.UserAmountIn, s.AmountOut, s.UserAmountOut = n.curve, n.user, token, userToken
	} else {
		s.MintIn, s.DecimalsIn, s.MintOut, s.DecimalsOut = mint, decimals, swapcast.NativeMint(), solDecimals
		s.AmountIn, s.UserAmountIn, s.AmountOut, s.UserAmountOut = token, userToken, n.curve, n.user
	}
	if s.MintIn == s.MintOut {
		return nil, sameMint
	}
	if known {
		s.ReservesKnown = true
		s.ReserveIn, s.ReserveOut = side(n.buy, lamports, left)
	}
	return s, ""
}

// paid sums the lamports that the call moved into an account and out of it.
func (c *call) paid(account uint8) (in, out uint64, why reason) {
	for i := range c.lamports {
		t := &c.lamports[i]
		if t.from == t.to {
			continue
		}
		ok := true
		if t.to == account {
			in, ok = add(in, t.amount)
		}
		if ok && t.from == account {
			out, ok = add(out, t.amount)
		}
		if !ok {
			return 0, 0, overflow
		}
	}
	return in, out, ""
}

// buyer tells who paid lamports: the sender if it signed; an account that did
// not and whose lamports are another amount after the transaction, for itself;
// else they only passed through, and it is the fee payer.
func (c *call) buyer(sender uint8) solana.PublicKey {
	key := c.tx.Keys[sender]
	pre, post := c.tx.PreBalances, c.tx.PostBalances
	if at := int(sender); c.signed(key) || (at < len(pre) && at < len(post) && pre[at] != post[at]) {
		return key
	}
	return c.tx.Keys[0]
}

// seller tells who sold into a curve's token account.
func (c *call) seller(vault uint8, s *swapcast.Swap) {
	for i := range c.tokens {
		if c.tokens[i].to == vault {
			s.Trader = c.trader(&c.tokens[i])
			return
		}
	}
}
