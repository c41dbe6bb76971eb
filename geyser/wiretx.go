package geyser

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// wireTransaction is a SubscribeUpdateTransaction as it is read: what is in
// the message, before anything is checked but its wire form. Its methods add
// to what is there, for a message field that comes twice is merged. All byte
// slices alias the message.
type wireTransaction struct {
	slot      uint64
	bank      uint64
	signature []byte
	vote      bool
	index     uint64

	firstSig  []byte // signatures[0]
	signed    bool   // there is a signatures[0]
	message   bool
	signers   uint32
	keys      [][]byte
	outer     []wireInstruction
	versioned bool
	config    bool // there is a TransactionConfig, whatever is in it

	meta       bool
	failed     bool
	fee        uint64
	pre, post  []uint64
	lists      []wireInner
	nested     []wireInstruction // those of all lists, one list after the other
	innerNone  bool
	logs       []string
	logsNone   bool
	preTokens  []wireToken
	postTokens []wireToken
	writable   [][]byte
	readonly   [][]byte
}

type wireInstruction struct {
	program        uint32
	height         uint32 // 0 where there is none, which is as meaningless
	accounts, data []byte
}

// wireInner is one InnerInstructions: nested[from:to].
type wireInner struct {
	index    uint32
	from, to int
}

type wireToken struct {
	account, decimals            uint32
	amount, mint, owner, program []byte
}

func (w *wireTransaction) reset() {
	*w = wireTransaction{
		keys: emptied(w.keys), outer: emptied(w.outer), pre: emptied(w.pre), post: emptied(w.post),
		lists: emptied(w.lists), nested: emptied(w.nested), logs: emptied(w.logs),
		preTokens: emptied(w.preTokens), postTokens: emptied(w.postTokens),
		writable: emptied(w.writable), readonly: emptied(w.readonly),
	}
}

// keptScratch is how many elements of scratch space are kept for the next
// message. No honest transaction comes near it.
const keptScratch = 1 << 14

// emptied is s without elements, and without a hold on what they pointed at.
func emptied[T any](s []T) []T {
	if cap(s) > keptScratch {
		return nil
	}
	clear(s)
	return s[:0]
}

func (w *wireTransaction) update(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | bytesTag:
			if !w.info(f.body) {
				return false
			}
		case 2<<3 | varintTag:
			w.slot = f.value
		case bankInTransaction<<3 | varintTag:
			w.bank = f.value
		}
	}
	return !f.bad
}

func (w *wireTransaction) info(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | bytesTag:
			w.signature = f.body
		case 2<<3 | varintTag:
			w.vote = f.value != 0
		case 3<<3 | bytesTag:
			ok = w.signedMessage(f.body)
		case 4<<3 | bytesTag:
			w.meta = true
			ok = w.status(f.body)
		case 5<<3 | varintTag:
			w.index = f.value
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

func (w *wireTransaction) signedMessage(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | bytesTag:
			if !w.signed {
				w.firstSig, w.signed = f.body, true
			}
		case 2<<3 | bytesTag:
			w.message = true
			if !w.readMessage(f.body) {
				return false
			}
		}
	}
	return !f.bad
}

func (w *wireTransaction) readMessage(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | bytesTag: // header
			ok = firstVarint(f.body, func(v uint64) { w.signers = uint32(v) })
		case 2<<3 | bytesTag:
			w.keys = append(w.keys, f.body)
		case 4<<3 | bytesTag:
			var ins wireInstruction
			ins, ok = readInstruction(f.body)
			w.outer = append(w.outer, ins)
		case 5<<3 | varintTag:
			w.versioned = f.value != 0
		case 6<<3 | bytesTag:
			ok = wellFormed(f.body, shapeFlat)
		default:
			if f.number() == configField {
				w.config = true
			}
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

// readInstruction reads an outer or an inner instruction: their first three
// fields are the same, and an outer one's fourth would be unknown.
func readInstruction(b []byte) (ins wireInstruction, ok bool) {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | varintTag:
			ins.program = uint32(f.value)
		case 2<<3 | bytesTag:
			ins.accounts = f.body
		case 3<<3 | bytesTag:
			ins.data = f.body
		case 4<<3 | varintTag:
			ins.height = uint32(f.value)
		}
	}
	return ins, !f.bad
}

// status reads a TransactionStatusMeta.
func (w *wireTransaction) status(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | bytesTag:
			w.failed = true
			ok = wellFormed(f.body, shapeFlat)
		case 2<<3 | varintTag:
			w.fee = f.value
		case 3<<3 | varintTag:
			w.pre = append(w.pre, f.value)
		case 3<<3 | bytesTag:
			w.pre, ok = appendPacked(w.pre, f.body)
		case 4<<3 | varintTag:
			w.post = append(w.post, f.value)
		case 4<<3 | bytesTag:
			w.post, ok = appendPacked(w.post, f.body)
		case 5<<3 | bytesTag:
			ok = w.innerList(f.body)
		case 6<<3 | bytesTag:
			ok = utf8.Valid(f.body)
			w.logs = append(w.logs, text(f.body))
		case 7<<3 | bytesTag:
			w.preTokens, ok = appendToken(w.preTokens, f.body)
		case 8<<3 | bytesTag:
			w.postTokens, ok = appendToken(w.postTokens, f.body)
		case 9<<3 | bytesTag:
			ok = wellFormed(f.body, shapeReward)
		case 10<<3 | varintTag:
			w.innerNone = f.value != 0
		case 11<<3 | varintTag:
			w.logsNone = f.value != 0
		case 12<<3 | bytesTag:
			w.writable = append(w.writable, f.body)
		case 13<<3 | bytesTag:
			w.readonly = append(w.readonly, f.body)
		case 14<<3 | bytesTag: // return data
			ok = wellFormed(f.body, shapeFlat)
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

func appendPacked(dst []uint64, b []byte) ([]uint64, bool) {
	f := fields{rest: b}
	for len(f.rest) > 0 {
		v, ok := f.varint()
		if !ok {
			return dst, false
		}
		dst = append(dst, v)
	}
	return dst, true
}

func (w *wireTransaction) innerList(b []byte) bool {
	list := wireInner{from: len(w.nested)}
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | varintTag:
			list.index = uint32(f.value)
		case 2<<3 | bytesTag:
			ins, ok := readInstruction(f.body)
			if !ok {
				return false
			}
			w.nested = append(w.nested, ins)
		}
	}
	list.to = len(w.nested)
	w.lists = append(w.lists, list)
	return !f.bad
}

func appendToken(dst []wireToken, b []byte) ([]wireToken, bool) {
	dst = append(dst, wireToken{})
	t := &dst[len(dst)-1]
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | varintTag:
			t.account = uint32(f.value)
		case 2<<3 | bytesTag:
			t.mint, ok = f.body, utf8.Valid(f.body)
		case 3<<3 | bytesTag:
			ok = t.readAmount(f.body)
		case 4<<3 | bytesTag:
			t.owner, ok = f.body, utf8.Valid(f.body)
		case 5<<3 | bytesTag:
			t.program, ok = f.body, utf8.Valid(f.body)
		}
		if !ok {
			return dst, false
		}
	}
	return dst, !f.bad
}

func (t *wireToken) readAmount(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 2<<3 | varintTag:
			t.decimals = uint32(f.value)
		case 3<<3 | bytesTag:
			t.amount, ok = f.body, utf8.Valid(f.body)
		case 4<<3 | bytesTag:
			ok = utf8.Valid(f.body)
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

// transaction checks what was read and makes the view of it, step by step as
// Decoder.Transaction does, so that both refuse a message for one reason.
func (d *WireDecoder) transaction(e *Event) error {
	w, tx := &d.tx, &e.tx
	resetTransaction(tx)
	if !w.message {
		return ErrNoTransaction
	}
	if !w.meta {
		return ErrNoMeta
	}
	sig := w.signature
	if len(sig) == 0 && w.signed {
		sig = w.firstSig
	}
	if len(sig) != len(tx.Signature) {
		return ErrBadSignature
	}
	copy(tx.Signature[:], sig)
	tx.Slot, tx.Bank = w.slot, w.bank
	tx.Index = w.index
	tx.Version = w.version()
	tx.Vote = w.vote
	tx.Failed = w.failed
	tx.Fee = w.fee
	if err := w.accounts(tx); err != nil {
		return err
	}
	if d.only != nil && !d.only.any(tx.Keys) {
		d.unwanted = true
		return nil
	}
	if err := d.instructions(tx); err != nil {
		return err
	}
	return w.balances(e)
}

func (w *wireTransaction) version() swapcast.TxVersion {
	switch {
	case !w.versioned:
		return swapcast.TxLegacy
	case w.config:
		return swapcast.TxV1
	default:
		return swapcast.TxV0
	}
}

func (w *wireTransaction) accounts(tx *swapcast.Transaction) error {
	if len(w.keys)+len(w.writable)+len(w.readonly) > maxKeys {
		return ErrTooManyKeys
	}
	for _, list := range [...][][]byte{w.keys, w.writable, w.readonly} {
		for _, k := range list {
			if len(k) != solana.PublicKeyLength {
				return ErrBadKey
			}
			tx.Keys = append(tx.Keys, solana.PublicKey(k))
		}
	}
	tx.NumStatic = len(w.keys)
	if uint64(w.signers) > uint64(tx.NumStatic) || w.signers == 0 {
		return ErrBadHeader
	}
	tx.NumSigners = int(w.signers)
	return nil
}

func (d *WireDecoder) instructions(tx *swapcast.Transaction) error {
	w := &d.tx
	if len(w.outer) > math.MaxUint16 {
		return ErrTooManyInner
	}
	tx.InnerKnown = !w.innerNone
	d.inner = d.inner[:0]
	for range w.outer {
		d.inner = append(d.inner, 0)
	}
	for i, list := range w.lists {
		switch {
		case uint64(list.index) >= uint64(len(d.inner)):
			return ErrIndexRange
		case d.inner[list.index] != 0:
			return ErrDuplicateInner
		case list.to-list.from > math.MaxInt16:
			return ErrTooManyInner
		default:
			d.inner[list.index] = int32(i) + 1
		}
	}
	for o := range w.outer {
		ins := &w.outer[o]
		flat := swapcast.Instruction{Depth: 1, Outer: uint16(o), Inner: -1, Accounts: ins.accounts, Data: ins.data}
		if err := appendInstruction(tx, flat, ins.program); err != nil {
			return err
		}
		if d.inner[o] == 0 {
			continue
		}
		list := w.lists[d.inner[o]-1]
		for i := range list.to - list.from {
			ins := &w.nested[list.from+i]
			flat := swapcast.Instruction{Outer: uint16(o), Inner: int16(i), Accounts: ins.accounts, Data: ins.data}
			if ins.height >= 2 && ins.height <= math.MaxUint8 {
				flat.Depth = uint8(ins.height)
			}
			if err := appendInstruction(tx, flat, ins.program); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *wireTransaction) balances(e *Event) error {
	tx := &e.tx
	if len(w.pre) != len(tx.Keys) || len(w.post) != len(tx.Keys) {
		return ErrBalanceCount
	}
	tx.PreBalances = append(tx.PreBalances, w.pre...)
	tx.PostBalances = append(tx.PostBalances, w.post...)
	var err error
	if tx.PreTokens, err = wireTokens(w.preTokens, tx.PreTokens, len(tx.Keys)); err != nil {
		return err
	}
	if tx.PostTokens, err = wireTokens(w.postTokens, tx.PostTokens, len(tx.Keys)); err != nil {
		return err
	}
	if !w.logsNone && len(w.logs) > 0 {
		// The event has its own list: the view may be read while we are at
		// the next message.
		e.logs = append(e.logs[:0], w.logs...)
		tx.Logs = e.logs
	}
	return nil
}

func wireTokens(rows []wireToken, dst []swapcast.TokenBalance, keys int) ([]swapcast.TokenBalance, error) {
	for i := range rows {
		r := &rows[i]
		if uint64(r.account) >= uint64(keys) {
			return dst, ErrIndexRange
		}
		amount, err := strconv.ParseUint(text(r.amount), 10, 64)
		if err != nil || r.decimals > math.MaxUint8 {
			return dst, ErrBadTokenBalance
		}
		dst = append(dst, swapcast.TokenBalance{Account: uint8(r.account), Decimals: uint8(r.decimals), Amount: amount})
		row := &dst[len(dst)-1]
		if !decodeKey(text(r.mint), &row.Mint) ||
			len(r.owner) > 0 && !decodeKey(text(r.owner), &row.Owner) ||
			len(r.program) > 0 && !decodeKey(text(r.program), &row.Program) {
			return dst, ErrBadMint
		}
	}
	return dst, nil
}
