package swap

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
)

// Limits of a transaction.
const (
	// MaxBytes is the most that a packet carries.
	MaxBytes = 1232
	// MaxUnits is the most compute units that the chain gives one transaction.
	MaxUnits = 1_400_000
	// MaxPriorityFee is the most lamports that a source may offer in the user's name
	// for being early: 0.01 SOL.
	MaxPriorityFee = 10_000_000
	// defaultUnits is what an instruction gets where the transaction asks for none.
	defaultUnits = 200_000
	// baseFee is what one signature costs, lamports.
	baseFee = 5_000
)

// Refusal is why a transaction is not handed to the user. Codes are stable.
type Refusal struct {
	Code   string
	Detail string
}

// Error is the code with the sentence.
func (r *Refusal) Error() string { return r.Code + ": " + r.Detail }

func refuse(code, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...)}
}

// Finding is one thing that was looked at; what fails is a Refusal instead.
type Finding struct {
	Code    string `json:"code"`
	Checked bool   `json:"checked"` // false: it could not be
	Detail  string `json:"detail"`
}

// Checked is a transaction that passed.
type Checked struct {
	Tx       *solana.Transaction
	Units    uint64 // compute units that it asks for
	Fee      uint64 // lamports that it costs at most, the priority fee included
	Findings []Finding
}

// The routers.
//
//nolint:gochecknoglobals // fixed keys, never written
var (
	jupiterProgram = solana.MPK("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")
	dflowProgram   = solana.MPK("DF1ow4tspfHX9JwWJsAb9epbkA8hmpSEAtxXy1V27QBH")
)

// router is the program that makes a source's swaps.
func router(source string) (solana.PublicKey, bool) {
	switch source {
	case quote.NameJupiter:
		return jupiterProgram, true
	case quote.NameDFlow:
		return dflowProgram, true
	}
	return solana.PublicKey{}, false
}

// checker is one check on its way.
type checker struct {
	user    solana.PublicKey
	quote   *quote.Quote
	router  solana.PublicKey
	msg     *solana.Message
	out     Checked
	made    map[solana.PublicKey]solana.PublicKey // token accounts that the router makes for the user, with their mints, zero unknown
	wrapped uint64                                // lamports that go to the user's wrapped SOL account
	routed  int                                   // calls of the router
	units   uint64
	price   uint64 // micro-lamports for a unit
}

// Check holds a source's transaction against the quote that it was made from. The
// error is a *Refusal.
func Check(raw []byte, source string, q *quote.Quote, user solana.PublicKey) (*Checked, error) {
	program, ok := router(source)
	if !ok {
		return nil, refuse("source", "no transactions are made from quotes of %s", source)
	}
	tx, err := decode(raw)
	if err != nil {
		return nil, err
	}
	c := &checker{user: user, quote: q, router: program, msg: &tx.Message}
	c.out.Tx = tx
	if err := c.signers(tx); err != nil {
		return nil, err
	}
	for i := range c.msg.Instructions {
		if err := c.make(&c.msg.Instructions[i]); err != nil {
			return nil, err
		}
	}
	for i := range c.msg.Instructions {
		if err := c.instruction(&c.msg.Instructions[i]); err != nil {
			return nil, err
		}
	}
	if c.routed != 1 {
		return nil, refuse("router", "the transaction calls the router of %s %d times", source, c.routed)
	}
	if c.wrapped > 0 && (q.InputMint != swapcast.NativeMint() || c.wrapped > q.InAmount+rentOfToken) {
		return nil, refuse("lamports", "the transaction moves %d lamports, and the quote takes %d of mint %s", c.wrapped, q.InAmount, q.InputMint)
	}
	return &c.out, c.fee()
}

// rentOfToken is what a token account must hold to live, lamports.
const rentOfToken = 2_039_280

// decode reads a transaction that is all there is in raw.
func decode(raw []byte) (*solana.Transaction, error) {
	if len(raw) > MaxBytes {
		return nil, refuse("too_large", "%d bytes; a packet carries %d", len(raw), MaxBytes)
	}
	tx, err := solana.TransactionFromBytes(raw)
	if err != nil {
		return nil, refuse("malformed", "it is no transaction")
	}
	if v := tx.Message.GetVersion(); v != solana.MessageVersionLegacy && v != solana.MessageVersionV0 {
		return nil, refuse("version", "only legacy and v0 transactions are understood")
	}
	// What is checked must be what is handed on: no byte behind it, one form.
	if again, err := tx.MarshalBinary(); err != nil || !bytes.Equal(again, raw) {
		return nil, refuse("malformed", "it is no transaction in its one form")
	}
	return tx, nil
}

func (c *checker) signers(tx *solana.Transaction) error {
	h := c.msg.Header
	switch {
	case len(c.msg.AccountKeys) == 0 || c.msg.AccountKeys[0] != c.user:
		return refuse("fee_payer", "somebody else than the user pays the fee")
	case h.NumRequiredSignatures != 1 || h.NumReadonlySignedAccounts != 0:
		return refuse("signers", "%d must sign, not the user alone", h.NumRequiredSignatures)
	}
	for _, s := range tx.Signatures {
		if !s.IsZero() {
			return refuse("signed", "it is signed already")
		}
	}
	c.found("fee_payer", true, "the user pays the fee")
	c.found("signers", true, "the user alone must sign")
	return nil
}

func (c *checker) found(code string, checked bool, format string, args ...any) {
	c.out.Findings = append(c.out.Findings, Finding{code, checked, fmt.Sprintf(format, args...)})
}

// key is an account of an instruction, false where a lookup table holds it.
func (c *checker) key(in *solana.CompiledInstruction, place int) (solana.PublicKey, bool) {
	if place >= len(in.Accounts) || int(in.Accounts[place]) >= len(c.msg.AccountKeys) {
		return solana.PublicKey{}, false
	}
	return c.msg.AccountKeys[in.Accounts[place]], true
}

// own tells whether a key is the user's associated account of a mint, or one that the
// router makes for the user in this transaction.
func (c *checker) own(key, mint solana.PublicKey) bool {
	if of, made := c.made[key]; made && (of == mint || of.IsZero()) {
		return true
	}
	for _, program := range []solana.PublicKey{solana.TokenProgramID, solana.Token2022ProgramID} {
		if ata, _, err := solana.FindAssociatedTokenAddressWithProgram(c.user, mint, program); err == nil && ata == key {
			return true
		}
	}
	return false
}

func (c *checker) instruction(in *solana.CompiledInstruction) error {
	if int(in.ProgramIDIndex) >= len(c.msg.AccountKeys) {
		return refuse("program", "a lookup table names the program of an instruction")
	}
	switch program := c.msg.AccountKeys[in.ProgramIDIndex]; program {
	case c.router:
		if makesAccount(program, in.Data) {
			return nil // make has looked at it
		}
		c.routed++
		return c.route(in)
	case solana.ComputeBudget:
		return c.budget(in.Data)
	case solana.SystemProgramID:
		return c.system(in)
	case solana.TokenProgramID, solana.Token2022ProgramID:
		return c.token(in)
	case solana.SPLAssociatedTokenAccountProgramID:
		owner, known := c.key(in, 2)
		if len(in.Data) > 1 || len(in.Data) == 1 && in.Data[0] > 1 || !known || owner != c.user { // Create and CreateIdempotent
			return refuse("instruction", "the transaction does more than create token accounts of the user")
		}
		return nil
	default:
		return refuse("program", "the transaction calls %s", program)
	}
}

// budget reads SetComputeUnitLimit (2) and SetComputeUnitPrice (3); the others bound
// memory.
func (c *checker) budget(data []byte) error {
	switch {
	case len(data) == 5 && data[0] == 2:
		c.units = uint64(binary.LittleEndian.Uint32(data[1:]))
	case len(data) == 9 && data[0] == 3:
		c.price = binary.LittleEndian.Uint64(data[1:])
	case len(data) == 5 && (data[0] == 1 || data[0] == 4):
	default:
		return refuse("instruction", "the compute budget is asked for something unknown")
	}
	return nil
}

// system admits a transfer (2) to the user's own wrapped SOL account.
func (c *checker) system(in *solana.CompiledInstruction) error {
	to, known := c.key(in, 1)
	from, _ := c.key(in, 0)
	if len(in.Data) != 12 || binary.LittleEndian.Uint32(in.Data) != 2 || from != c.user || !known || !c.own(to, swapcast.NativeMint()) {
		return refuse("instruction", "the transaction does something with lamports that is no wrapping of SOL")
	}
	lamports := binary.LittleEndian.Uint64(in.Data[4:])
	if c.wrapped += lamports; c.wrapped < lamports {
		return refuse("lamports", "the transaction moves more lamports than there are")
	}
	return nil
}

// token admits SyncNative (17) and CloseAccount (9) of the user's own wrapped SOL
// account to the user.
func (c *checker) token(in *solana.CompiledInstruction) error {
	account, known := c.key(in, 0)
	if len(in.Data) == 1 && known && c.own(account, swapcast.NativeMint()) {
		to, _ := c.key(in, 1)
		if in.Data[0] == 17 || in.Data[0] == 9 && to == c.user {
			return nil
		}
	}
	return refuse("instruction", "the transaction asks a token program for more than wrapping and unwrapping SOL")
}

// leastOf is an amount less its slippage, rounded down.
func leastOf(amount uint64, bps uint16) uint64 {
	if bps >= quote.MaxSlippageBps {
		return 0
	}
	keep := uint64(quote.MaxSlippageBps - bps)
	return amount/quote.MaxSlippageBps*keep + amount%quote.MaxSlippageBps*keep/quote.MaxSlippageBps
}

// fee bounds what the transaction costs beside what it swaps.
func (c *checker) fee() error {
	units := c.units
	if units == 0 {
		units = min(MaxUnits, uint64(len(c.msg.Instructions))*defaultUnits)
	}
	if units > MaxUnits {
		return refuse("compute", "it asks for %d compute units; the chain gives %d", units, MaxUnits)
	}
	if c.price > MaxPriorityFee*1_000_000/units {
		return refuse("priority_fee", "it offers more than %d lamports for being early", MaxPriorityFee)
	}
	priority := (units*c.price + 999_999) / 1_000_000
	c.out.Units, c.out.Fee = units, baseFee+priority
	c.found("fee", true, "it costs at most %d lamports beside what it swaps", c.out.Fee)
	return nil
}
