package sim

import (
	"encoding/base64"
	"strconv"

	"github.com/swapcast/swapcast"
)

// How an instruction uses an account. The flags of all uses add up.
const (
	ro      uint8 = 0
	wr      uint8 = 1 << iota // writable
	signer                    // signs the transaction
	invoked                   // an outer instruction's program: must be a static key
)

// snap is what an account held before the transaction.
type snap struct {
	lamports uint64
	amount   uint64
	live     bool
}

// ixRec is one instruction in execution order. The ranges point into the
// builder's buffers.
type ixRec struct {
	prog     uint8
	height   uint8
	outer    uint16
	inner    int16 // -1 for the outer one itself
	accLo    uint32
	accHi    uint32
	dataLo   uint32
	dataHi   uint32
	consumed bool
}

type frameRec struct {
	prog  *acct
	start uint64 // compute units used before it began
	quiet bool   // a builtin: logs no consumption
}

// builder makes one transaction at a time: instructions are recorded and
// executed on the simulated state in one go, then finish turns the record
// into Geyser messages. It belongs to the market's goroutine and is reused;
// what finish returns shares nothing with it but account keys.
type builder struct {
	m   *Market
	gen uint32

	recorded
	execution
	outcome
	scratch
}

// recorded is the message as it grows.
type recorded struct {
	accts []*acct // in order of first use
	flags []uint8
	snaps []snap
	abuf  []byte // account positions of all instructions
	buf   []byte // data of all instructions
	ixs   []ixRec
	outer int // index of the outer instruction begun last
	inner int // index that the next inner one will have
}

// execution is the running of it: the call stack, compute units and logs.
type execution struct {
	stack  []frameRec
	used   uint64
	budget uint64
	logb   []byte   // all log lines
	logEnd []uint32 // where each ends
}

// outcome is what is told of the whole transaction.
type outcome struct {
	fee     uint64
	vote    bool
	dry     bool // the first swap instruction fails for its slippage limit
	failed  bool
	errCode []byte
	retProg *acct // whose return data the transaction ends with
	retData [8]byte
	swaps   []pendingSwap
}

// scratch is memory that is used again.
type scratch struct {
	perm  []uint8 // final index of each account
	order []uint8 // its inverse
	strb  []byte
	rows  []tokenRow
	event []byte
}

// begin starts a transaction that payer signs and pays for.
func (b *builder) begin(payer *acct, priority uint64) {
	b.gen++
	b.accts, b.flags, b.snaps = b.accts[:0], b.flags[:0], b.snaps[:0]
	b.abuf, b.buf, b.ixs = b.abuf[:0], b.buf[:0], b.ixs[:0]
	b.stack, b.logb, b.logEnd = b.stack[:0], b.logb[:0], b.logEnd[:0]
	b.swaps = b.swaps[:0]
	b.outer, b.inner = -1, 0
	b.used, b.budget = 0, 200_000
	b.vote, b.dry, b.failed, b.errCode = false, false, false, nil
	b.retProg = nil
	b.fee = baseFee + priority
	b.use(payer, signer|wr)
	payer.lamports -= b.fee
}

// baseFee is charged for each signature, lamports.
const baseFee = 5000

// addSigner makes a further account sign, at the price of one signature. It
// must follow begin directly.
func (b *builder) addSigner(a *acct) {
	b.use(a, signer|wr)
	b.accts[0].lamports -= baseFee
	b.fee += baseFee
}

// touch notes an account's state before anything happens to it.
func (b *builder) touch(a *acct) uint8 {
	if a.gen == b.gen {
		return a.pos
	}
	a.gen = b.gen
	a.pos = uint8(len(b.accts))
	b.accts = append(b.accts, a)
	b.flags = append(b.flags, 0)
	b.snaps = append(b.snaps, snap{a.lamports, a.amount, a.live})
	return a.pos
}

func (b *builder) use(a *acct, f uint8) uint8 {
	p := b.touch(a)
	b.flags[p] |= f
	return p
}

// call begins an instruction at a stack height: 1 is an outer one. Accounts
// and data follow, then the calls that it makes, then ret.
func (b *builder) call(prog *acct, height int) {
	f := ro
	if height == 1 {
		f = invoked
		b.outer++
		b.inner = -1
	}
	n := len(b.ixs)
	if n > 0 {
		b.closeIx()
	}
	b.ixs = append(b.ixs, ixRec{
		prog:   b.use(prog, f),
		height: uint8(height),
		outer:  uint16(b.outer),
		inner:  int16(b.inner),
		accLo:  uint32(len(b.abuf)),
		dataLo: uint32(len(b.buf)),
	})
	b.inner++
	quiet := prog == b.m.prog.system || prog == b.m.prog.budget || prog == b.m.prog.vote
	b.stack = append(b.stack, frameRec{prog: prog, start: b.used, quiet: quiet})
	b.logb = append(b.logb, "Program "...)
	b.logb = append(b.logb, prog.text()...)
	b.logb = append(b.logb, " invoke ["...)
	b.logb = append(b.logb, '0'+byte(height), ']')
	b.endLog()
}

// closeIx fixes the ranges of the newest instruction.
func (b *builder) closeIx() {
	r := &b.ixs[len(b.ixs)-1]
	if !r.consumed {
		r.accHi, r.dataHi = uint32(len(b.abuf)), uint32(len(b.buf))
		r.consumed = true
	}
}

// acc adds accounts to the instruction begun last.
func (b *builder) acc(f uint8, as ...*acct) {
	for _, a := range as {
		b.abuf = append(b.abuf, b.use(a, f))
	}
}

func (b *builder) data(p ...byte)    { b.buf = append(b.buf, p...) }
func (b *builder) bytes(p []byte)    { b.buf = append(b.buf, p...) }
func (b *builder) u16(v uint16)      { b.buf = le.AppendUint16(b.buf, v) }
func (b *builder) u32(v uint32)      { b.buf = le.AppendUint32(b.buf, v) }
func (b *builder) u64(v uint64)      { b.buf = le.AppendUint64(b.buf, v) }
func (b *builder) str(s string)      { b.u32(uint32(len(s))); b.buf = append(b.buf, s...) }
func (b *builder) place() (int, int) { r := &b.ixs[len(b.ixs)-1]; return int(r.outer), int(r.inner) }

// ret ends the instruction on top of the stack, which used cu compute units
// beside those of its calls.
func (b *builder) ret(cu uint64) {
	b.closeIx()
	top := b.stack[len(b.stack)-1]
	b.stack = b.stack[:len(b.stack)-1]
	b.used += cu
	if !top.quiet {
		b.logb = append(b.logb, "Program "...)
		b.logb = append(b.logb, top.prog.text()...)
		b.logb = append(b.logb, " consumed "...)
		b.logb = strconv.AppendUint(b.logb, b.used-top.start, 10)
		b.logb = append(b.logb, " of "...)
		b.logb = strconv.AppendUint(b.logb, b.budget-top.start, 10)
		b.logb = append(b.logb, " compute units"...)
		b.endLog()
	}
	b.logb = append(b.logb, "Program "...)
	b.logb = append(b.logb, top.prog.text()...)
	b.logb = append(b.logb, " success"...)
	b.endLog()
}

func (b *builder) endLog() { b.logEnd = append(b.logEnd, uint32(len(b.logb))) }

// log writes a "Program log:" line.
func (b *builder) log(s string) {
	b.logb = append(b.logb, "Program log: "...)
	b.logb = append(b.logb, s...)
	b.endLog()
}

// logData writes an event as Anchor's emit! does: "Program data: <base64>".
func (b *builder) logData(p []byte) {
	b.logb = append(b.logb, "Program data: "...)
	b.logb = base64.StdEncoding.AppendEncode(b.logb, p)
	b.endLog()
}

// returned writes the line of a program that set return data.
func (b *builder) returned(prog *acct, p []byte) {
	b.logb = append(b.logb, "Program return: "...)
	b.logb = append(b.logb, prog.text()...)
	b.logb = append(b.logb, ' ')
	b.logb = base64.StdEncoding.AppendEncode(b.logb, p)
	b.endLog()
}

// anchorEvent is the tag of an Anchor self-CPI event: the first bytes of
// sha256("anchor:event"), little-endian.
const anchorEvent = "\xe4\x45\xa5\x2e\x51\xcb\x9a\x1d"

// emitCPI writes an event as Anchor's emit_cpi! does: the program calls itself
// with its event authority as the only account.
func (b *builder) emitCPI(prog, authority *acct, height int, payload []byte, cu uint64) {
	b.call(prog, height)
	b.acc(ro, authority)
	b.buf = append(b.buf, anchorEvent...)
	b.buf = append(b.buf, payload...)
	b.ret(cu)
}

// fail makes the transaction fail in an outer instruction with a program's own
// error code. Everything but the fee is rolled back.
func (b *builder) fail(code uint32) {
	b.closeIx()
	for i, a := range b.accts {
		s := b.snaps[i]
		a.lamports, a.amount, a.live = s.lamports, s.amount, s.live
	}
	b.accts[0].lamports -= b.fee
	b.failed = true
	// bincode of TransactionError::InstructionError(index, Custom(code)).
	b.errCode = le.AppendUint32(nil, 8)
	b.errCode = append(b.errCode, byte(b.outer))
	b.errCode = le.AppendUint32(b.errCode, 25)
	b.errCode = le.AppendUint32(b.errCode, code)
	for len(b.stack) > 0 {
		top := b.stack[len(b.stack)-1]
		b.stack = b.stack[:len(b.stack)-1]
		b.used += 9000
		b.logb = append(b.logb, "Program "...)
		b.logb = append(b.logb, top.prog.text()...)
		b.logb = append(b.logb, " consumed "...)
		b.logb = strconv.AppendUint(b.logb, b.used-top.start, 10)
		b.logb = append(b.logb, " of "...)
		b.logb = strconv.AppendUint(b.logb, b.budget-top.start, 10)
		b.logb = append(b.logb, " compute units"...)
		b.endLog()
		b.logb = append(b.logb, "Program "...)
		b.logb = append(b.logb, top.prog.text()...)
		b.logb = append(b.logb, " failed: custom program error: 0x"...)
		b.logb = strconv.AppendUint(b.logb, uint64(code), 16)
		b.endLog()
	}
	b.swaps = b.swaps[:0]
}

// pay moves lamports between accounts.
func (b *builder) pay(from, to *acct, lamports uint64) {
	b.touch(from)
	b.touch(to)
	from.lamports -= lamports
	to.lamports += lamports
}

// move moves tokens between live token accounts of one mint. The lamports of
// wrapped SOL move with them.
func (b *builder) move(from, to *acct, amount uint64) {
	b.touch(from)
	b.touch(to)
	from.amount -= amount
	to.amount += amount
	if from.mint.native {
		from.lamports -= amount
		to.lamports += amount
	}
}

// pendingSwap is a swap whose vault balances are read when the transaction is
// complete.
type pendingSwap struct {
	swapcast.Swap
	vaultIn, vaultOut *acct
}
