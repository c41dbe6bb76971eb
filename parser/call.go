package parser

import (
	"slices"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// call is one instruction of a DEX together with what it caused: the
// instructions that it called itself. What those called in turn (a transfer
// hook, an order book settling) is not the DEX's own doing and left out.
//
// Its slices are reused from call to call.
type call struct {
	p   *Parser
	tx  *swapcast.Transaction
	ix  *swapcast.Instruction
	dex *dex

	which int    // number of the DEX
	pos   int    // position of ix in the transaction
	end   int    // position after the last instruction that it caused
	nth   uint32 // how many of this program's invocations came before

	tokens   []transfer // token transfers that it made, in order
	lamports []transfer // system transfers that it made, in order
}

// begin sets the call to one instruction and collects what it moved.
func (c *call) begin(p *Parser, d *dex, which, pos int, nth uint32) {
	c.p, c.tx, c.dex, c.which, c.pos, c.nth = p, p.tx, d, which, pos, nth
	c.ix = &p.tx.Instructions[pos]
	c.tokens, c.lamports = c.tokens[:0], c.lamports[:0]
	c.end = c.extent()
	for i := pos + 1; i < c.end; i++ {
		ix := &p.tx.Instructions[i]
		if !c.owns(ix) {
			continue
		}
		switch k := p.kindOf(ix); k {
		case kindToken, kindToken2022:
			if t, ok := tokenMove(ix, k, p.keys); ok {
				c.tokens = append(c.tokens, t)
			}
		case kindSystem:
			if t, ok := lamportMove(ix, p.keys); ok {
				c.lamports = append(c.lamports, t)
			}
		}
	}
}

// flat says that the source recorded no stack heights below this instruction
// (nodes before 1.14): the inner list is then one flat row.
func (c *call) flat() bool {
	if c.ix.Depth == 0 {
		return true
	}
	next := c.pos + 1
	return next < len(c.tx.Instructions) && c.tx.Instructions[next].Depth == 0 &&
		c.tx.Instructions[next].Outer == c.ix.Outer
}

// extent finds the end of what the instruction caused. In a flat list an inner
// instruction is taken to have caused all that follows it up to the next
// program that is neither a token, system, memo nor account program nor the
// DEX itself: DEXes call nothing else, and every router calls a program of its
// own or the next DEX between two legs.
func (c *call) extent() int {
	list := c.tx.Instructions
	end := c.pos + 1
	if !c.flat() {
		for end < len(list) && list[end].Outer == c.ix.Outer && list[end].Depth > c.ix.Depth {
			end++
		}
		return end
	}
	for end < len(list) && list[end].Outer == c.ix.Outer {
		switch k := c.p.kindOf(&list[end]); {
		case k == kindOther && c.ix.Inner >= 0:
			return end
		case k >= kindDEX && !c.isEvent(&list[end]):
			return end
		}
		end++
	}
	return end
}

// owns says that the instruction was called by this one itself.
func (c *call) owns(ix *swapcast.Instruction) bool {
	return ix.Depth == 0 || ix.Depth == c.ix.Depth+1
}

// isEvent says that the instruction is an Anchor event of this DEX.
func (c *call) isEvent(ix *swapcast.Instruction) bool {
	return int(ix.Program) < c.p.keys && ix.Program == c.ix.Program && discriminator(ix.Data) == eventTag
}

// event returns the payload of the first event of that discriminator that the
// instruction emitted to itself, after the discriminator, or nil.
func (c *call) event(disc uint64) []byte {
	for i := c.pos + 1; i < c.end; i++ {
		ix := &c.tx.Instructions[i]
		if c.owns(ix) && c.isEvent(ix) && discriminator(ix.Data[8:]) == disc {
			return ix.Data[16:]
		}
	}
	return nil
}

// has reports that the instruction has that many accounts, each of which is
// among the keys.
func (c *call) has(accounts int) bool {
	if len(c.ix.Accounts) < accounts {
		return false
	}
	for _, a := range c.ix.Accounts[:accounts] {
		if int(a) >= c.p.keys {
			return false
		}
	}
	return true
}

// account returns the position in the keys of one of the instruction's
// accounts; has must have said that it is there.
func (c *call) account(at int) uint8 { return c.ix.Accounts[at] }

// key returns one of the instruction's accounts; has must have said so.
func (c *call) key(at int) solana.PublicKey { return c.tx.Keys[c.ix.Accounts[at]] }

// check is what every swap instruction needs: its arguments and its accounts.
func (c *call) check(data, accounts int) reason {
	switch {
	case len(c.ix.Data) < data:
		return shortData
	case !c.has(accounts):
		return shortAccounts
	case !c.tx.InnerKnown:
		return noInner
	}
	return ""
}

// opposed reports that the instruction moved two accounts of one owner against
// each other, which is what a swap does to a pool's vaults: of tokens both, or
// of tokens and SOL.
func (c *call) opposed() bool {
	if slices.Contains(c.dex.notSwaps, discriminator(c.ix.Data)) {
		return false
	}
	return c.opposedTokens() || c.opposedLamports()
}

// opposedTokens is opposed for two vaults of tokens. Vaults that each own
// themselves (Phoenix, ZeroFi) count as of one owner.
func (c *call) opposedTokens() bool {
	for i := range c.tokens {
		in := &c.tokens[i]
		owner := c.p.rows.owner(c.tx, in.to)
		if owner.IsZero() || in.amount == 0 {
			continue
		}
		for j := range c.tokens {
			out := &c.tokens[j]
			if out.amount == 0 || out.from == in.to || out.to == in.from || c.signed(owner) {
				continue
			}
			other := c.p.rows.owner(c.tx, out.from)
			if other != owner && (owner != c.tx.Keys[in.to] || other != c.tx.Keys[out.from]) {
				continue
			}
			a, b := c.p.rows.row(c.tx, in.to), c.p.rows.row(c.tx, out.from)
			if a != nil && b != nil && a.Mint != b.Mint {
				return true
			}
		}
	}
	return false
}

// opposedLamports is opposed for a vault beside an account that holds SOL as
// lamports, as bonding curves do. It pays by a system transfer that no signer
// makes, or, where the program owns it, without any: then its balance fell. Both
// leaving the same owner is a migration.
func (c *call) opposedLamports() bool {
	paid, fell := c.lamportsMoved()
	for i := range c.tokens {
		t := &c.tokens[i]
		if t.amount == 0 || t.from == t.to {
			continue
		}
		if (paid.lost > 0 || fell) && c.vault(t.to) && !c.ownerFell(t.from) {
			return true
		}
		if paid.gained > 0 && !fell && c.vault(t.from) {
			return true
		}
	}
	return false
}

// vault says that a program owns a token account, not a signer.
func (c *call) vault(account uint8) bool {
	owner := c.p.rows.owner(c.tx, account)
	return !owner.IsZero() && !c.signed(owner)
}

// lamportsMoved tells what accounts of programs gained and lost by the call's own
// system transfers, and whether one of the instruction's fell over the
// transaction. Accounts that were opened or closed are left out, whose rent it
// is, and token accounts.
func (c *call) lamportsMoved() (paid flow, fell bool) {
	for i := range c.lamports {
		t := &c.lamports[i]
		if c.stands(t.to) {
			paid.gained |= t.amount
		}
		if c.stands(t.from) {
			paid.lost |= t.amount
		}
	}
	for _, a := range c.ix.Accounts {
		fell = fell || c.fell(a)
	}
	return paid, fell
}

// fell says that an account that stands has less lamports than before.
func (c *call) fell(account uint8) bool {
	return int(account) < c.p.keys && c.stands(account) && c.tx.PostBalances[account] < c.tx.PreBalances[account]
}

// ownerFell says so of a token account's owner.
func (c *call) ownerFell(account uint8) bool {
	owner := c.p.rows.owner(c.tx, account)
	for _, a := range c.ix.Accounts {
		if c.fell(a) && c.tx.Keys[a] == owner {
			return true
		}
	}
	return false
}

// stands says that an account is no signer's and no token account, and had
// lamports before and after.
func (c *call) stands(account uint8) bool {
	at := int(account)
	return at < len(c.tx.PreBalances) && at < len(c.tx.PostBalances) &&
		c.tx.PreBalances[at] > 0 && c.tx.PostBalances[at] > 0 &&
		!c.signed(c.tx.Keys[account]) && c.p.rows.row(c.tx, account) == nil
}

// signed says that the key is one of the transaction's signers.
func (c *call) signed(key solana.PublicKey) bool {
	for i := range min(c.tx.NumSigners, c.p.keys) {
		if c.tx.Keys[i] == key {
			return true
		}
	}
	return false
}
