package swap

import (
	"encoding/binary"

	"github.com/gagliardetto/solana-go"
)

// form is how a router's instruction holds what a quote promises.
type form struct {
	// at is where the amounts begin, the discriminator counted: input amount u64,
	// quoted output u64, slippage u16, platform fee. 0: they end it, behind a route of
	// unknown length.
	at int
	// noIn says that the input amount is in the route's legs, wide that the platform fee
	// has 16 bits and not 8, more how many bytes follow it at the end.
	noIn, wide bool
	more       int
	// user, to and other are the places of accounts: who moves the tokens, where the
	// output goes, and an account that may take it instead (the router's own program
	// where there is none); -1 none.
	user, to, other int
}

// formOf knows an instruction by its first eight bytes, sha256("global:NAME"). From the
// routers' public IDLs (Jupiter v6 and DFlow's swap_orchestrator, read 2026-11), those
// of route and shared_accounts_route also from real transactions (pL1XB94m…,
// 4VhDRLUK…); route_v2 and shared_accounts_route_v2 were built from the same IDL by
// several independent clients, and no real one was at hand.
func formOf(program solana.PublicKey, data []byte) (form, bool) {
	if len(data) < 8 {
		return form{}, false
	}
	code := binary.BigEndian.Uint64(data)
	switch {
	case program == jupiterProgram:
		switch code {
		case 0xbb64facc31c4af14: // route_v2
			return form{at: 8, wide: true, user: 0, to: 2, other: 7}, true
		case 0xd19853937cfed8e9: // shared_accounts_route_v2, with an id first
			return form{at: 9, wide: true, user: 1, to: 5, other: -1}, true
		case 0xe517cb977ae3ad2a: // route
			return form{user: 1, to: 3, other: 4}, true
		case 0xc1209b3341d69c81: // shared_accounts_route
			return form{user: 2, to: 6, other: -1}, true
		}
	case program == dflowProgram:
		switch code {
		case 0xf8c69e91e17587c8: // swap
			return form{noIn: true, wide: true, user: 3, to: -1, other: -1}, true
		case 0x414b3f4ceb5b5b88: // swap2
			return form{noIn: true, wide: true, more: 1, user: 3, to: -1, other: -1}, true
		}
	}
	return form{}, false
}

// makesAccount knows Jupiter's create_token_account with its one byte, a bump.
func makesAccount(program solana.PublicKey, data []byte) bool {
	return program == jupiterProgram && len(data) == 9 && binary.BigEndian.Uint64(data) == 0x93f17b64f484ae76
}

// make notes a token account that Jupiter makes for the user, at an address of its
// own: wrapped SOL goes by one where the associated account is to be left alone. Its
// accounts are that account, its owner, the mint and two programs (real transactions
// 2NPwsoX7…, 5E2cRQXc…: the owner is the second).
func (c *checker) make(in *solana.CompiledInstruction) error {
	if c.router != jupiterProgram || int(in.ProgramIDIndex) >= len(c.msg.AccountKeys) || !makesAccount(c.msg.AccountKeys[in.ProgramIDIndex], in.Data) {
		return nil
	}
	account, okAccount := c.key(in, 0)
	owner, okOwner := c.key(in, 1)
	mint, _ := c.key(in, 2) // zero: in a lookup table. Whatever it is, the account is the user's
	if !okAccount || !okOwner || owner != c.user {
		return refuse("instruction", "the router makes a token account for somebody else than the user")
	}
	if c.made == nil {
		c.made = make(map[solana.PublicKey]solana.PublicKey)
	}
	c.made[account] = mint
	return nil
}

// amounts is what a router is asked for.
type amounts struct {
	in, quoted    uint64
	slippage, fee uint16
}

// read takes the amounts out of an instruction.
func (f form) read(data []byte) (a amounts, ok bool) {
	n := 8 + 2 + 1
	if !f.noIn {
		n += 8
	}
	if f.wide {
		n++
	}
	at := f.at
	if at == 0 {
		at = len(data) - n - f.more
		if at < 8+4 { // the route's length stands before
			return a, false
		}
	}
	if at+n > len(data) {
		return a, false
	}
	d := data[at:]
	if !f.noIn {
		a.in = binary.LittleEndian.Uint64(d)
		d = d[8:]
	}
	a.quoted, a.slippage, a.fee = binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint16(d[8:]), uint16(d[10])
	if f.wide {
		a.fee = binary.LittleEndian.Uint16(d[10:])
	}
	return a, true
}

// route holds the router's instruction against the quote.
func (c *checker) route(in *solana.CompiledInstruction) error {
	f, known := formOf(c.router, in.Data)
	if !known {
		f = form{user: -1, to: -1, other: -1}
	}
	if err := c.destination(in, f); err != nil {
		return err
	}
	if !known {
		c.found("amounts", false, "this form of the router's instruction is not known: only a simulation tells")
		return nil
	}
	a, ok := f.read(in.Data)
	if !ok {
		return refuse("instruction", "the router's instruction breaks off")
	}
	// The program demands the quoted output less the slippage, rounded down or up.
	least := leastOf(a.quoted, a.slippage)
	switch {
	case !f.noIn && a.in != c.quote.InAmount:
		return refuse("amount", "the transaction gives %d, the quote %d", a.in, c.quote.InAmount)
	case least+1 < c.quote.Threshold:
		return refuse("threshold", "the transaction may bring %d, the quote at least %d", least, c.quote.Threshold)
	case a.fee > 0:
		return refuse("platform_fee", "the transaction takes a platform fee of %d hundredths of a percent, which nobody asked for", a.fee)
	}
	switch {
	case f.noIn:
		c.found("amounts", false, "the end of the router's instruction demands at least %d; what it gives is in its route, whose legs are not known: only a simulation tells", least)
	case f.at == 0:
		// Bytes behind the program's own arguments would be read here and passed over
		// there, and where the route ends is not known.
		c.found("amounts", false, "the end of the router's instruction gives %d and demands at least %d; that the router reads those bytes only a simulation tells", a.in, least)
	default:
		c.found("amounts", true, "it gives %d and demands at least %d", a.in, least)
	}
	return nil
}

// destination demands that what comes out goes to the user: at its place where the
// instruction's form is known, anywhere among its accounts where it is not.
func (c *checker) destination(in *solana.CompiledInstruction, f form) error {
	refused := func() error {
		return refuse("destination", "the router is not given the user's own account of %s", c.quote.OutputMint)
	}
	user, output := false, false
	for i := range in.Accounts {
		key, known := c.key(in, i)
		user = user || known && key == c.user && (f.user < 0 || f.user == i)
		output = output || known && c.own(key, c.quote.OutputMint) && (f.to < 0 || f.to == i)
	}
	if !user || !output {
		return refused()
	}
	if f.other >= 0 {
		if key, known := c.key(in, f.other); !known || key != c.router && !c.own(key, c.quote.OutputMint) {
			return refused()
		}
	}
	if f.to < 0 {
		c.found("destination", false, "the user's own account of the output mint is among those that the router is given; that it is the one paid into only a simulation tells")
	} else {
		c.found("destination", true, "the router pays into the user's own account of the output mint")
	}
	return nil
}
