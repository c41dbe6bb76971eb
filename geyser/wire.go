package geyser

import (
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/gagliardetto/solana-go"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/swapcast/swapcast"
)

// ErrMalformed is what WireDecoder returns for bytes that are no
// SubscribeUpdate, where the generated code's proto.Unmarshal fails too.
const ErrMalformed DecodeError = "malformed"

// WireDecoder reads the bytes of a SubscribeUpdate into an Event without the
// generated code in between: that allocates some hundred objects for a
// transaction, this none once warm. It takes exactly what proto.Unmarshal and
// Decoder take, and gives the same: the last of a scalar counts, parts of a
// message that comes twice are merged, a field of an unexpected wire type is
// an unknown one, and the fields that nobody reads are checked nevertheless.
// FuzzWireAgainstGenerated holds it to that. One goroutine at a time.
type WireDecoder struct {
	kind      Kind // KindNone: no update in the message
	seconds   int64
	nanos     int32
	created   bool
	status    int32 // of the slot, as the server sent it
	slot      swapcast.SlotUpdate
	deadError []byte
	block     wireBlock
	tx        wireTransaction
	inner     []int32 // see Decoder
	only      *keySet // nil: every transaction is read to its end
	unwanted  bool
}

// NewWireDecoder returns a WireDecoder.
func NewWireDecoder() *WireDecoder { return &WireDecoder{} }

// Only makes the decoder read no more than the keys of a transaction that
// names none of these accounts: Update gives KindTx, no Tx and no error then.
// The wire form of the message is checked, and the rest of it is not. Without
// any, every transaction is read.
func (d *WireDecoder) Only(accounts []solana.PublicKey) {
	d.only = nil
	if len(accounts) > 0 {
		d.only = newKeySet(accounts)
	}
}

// Update reads the message b into e, overwriting Kind, Tx, Slot, Block and
// CreatedAt. The accounts, data and logs of the transaction alias b, which
// must stay as it is until e is released or used for another message; all
// other parts are copies.
//
// The error is a DecodeError. With ErrMalformed, b is no SubscribeUpdate; with
// any other, it is one of a transaction that is not sound: e.Kind is KindTx
// and e.Tx nil then.
func (d *WireDecoder) Update(b []byte, e *Event) error {
	e.Tx, e.Slot, e.Block, e.CreatedAt = nil, swapcast.SlotUpdate{}, swapcast.BlockMeta{}, 0
	d.kind, d.seconds, d.nanos, d.created, d.unwanted = KindNone, 0, 0, false, false
	ok := d.update(b)
	e.Kind = d.kind
	if !ok {
		return ErrMalformed
	}
	if d.created {
		e.CreatedAt = d.seconds*int64(time.Second) + int64(d.nanos)
	}
	switch d.kind {
	case KindTx:
		if err := d.transaction(e); err != nil {
			return err
		}
		if !d.unwanted {
			e.Tx = &e.tx
		}
	case KindSlot:
		e.Slot = d.slot
		e.Slot.Status = swapcast.SlotStatus(d.status)
		e.Slot.DeadError = string(d.deadError)
	case KindBlock:
		e.Block = d.block.meta()
	}
	return nil
}

// switchTo is what a member of the oneof does to the one before it: another
// kind replaces it, the same kind merges into it.
func (d *WireDecoder) switchTo(k Kind) {
	if d.kind == k && k != KindOther { // nothing of those is kept that could merge
		return
	}
	d.kind = k
	switch k {
	case KindTx:
		d.tx.reset()
	case KindSlot:
		d.slot, d.status, d.deadError = swapcast.SlotUpdate{}, 0, nil
	case KindBlock:
		d.block = wireBlock{}
	}
}

func (d *WireDecoder) update(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | bytesTag: // filters
			ok = utf8.Valid(f.body)
		case 3<<3 | bytesTag:
			d.switchTo(KindSlot)
			ok = d.slotStatus(f.body)
		case 4<<3 | bytesTag:
			d.switchTo(KindTx)
			ok = d.tx.update(f.body)
		case 6<<3 | bytesTag:
			d.switchTo(KindPing)
			ok = wellFormed(f.body, shapeFlat)
		case 7<<3 | bytesTag:
			d.switchTo(KindBlock)
			ok = d.block.read(f.body)
		case 9<<3 | bytesTag:
			d.switchTo(KindPong)
			ok = wellFormed(f.body, shapeFlat)
		case 2<<3 | bytesTag, 5<<3 | bytesTag, 8<<3 | bytesTag, 10<<3 | bytesTag:
			d.switchTo(KindOther)
			part, _ := shapeUpdate.field(f.number())
			ok = wellFormed(f.body, part)
		case 11<<3 | bytesTag:
			d.created = true
			ok = d.createdAt(f.body)
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

func (d *WireDecoder) createdAt(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | varintTag:
			d.seconds = int64(f.value)
		case 2<<3 | varintTag:
			d.nanos = int32(f.value)
		}
	}
	return !f.bad
}

func (d *WireDecoder) slotStatus(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		switch f.tag {
		case 1<<3 | varintTag:
			d.slot.Slot = f.value
		case 2<<3 | varintTag:
			d.slot.Parent = f.value
		case 3<<3 | varintTag:
			d.status = int32(f.value)
		case 4<<3 | bytesTag:
			if !utf8.Valid(f.body) {
				return false
			}
			d.deadError = f.body
		case bankInSlot<<3 | varintTag:
			d.slot.Bank = f.value
		}
	}
	return !f.bad
}

// wireBlock is a block meta as it is read, its strings still in the message.
type wireBlock struct {
	swapcast.BlockMeta
	hash, parent []byte
}

func (w *wireBlock) meta() swapcast.BlockMeta {
	m := w.BlockMeta
	m.Blockhash, m.ParentHash = string(w.hash), string(w.parent)
	return m
}

func (w *wireBlock) read(b []byte) bool {
	f := fields{rest: b}
	for f.next() {
		ok := true
		switch f.tag {
		case 1<<3 | varintTag:
			w.Slot = f.value
		case 2<<3 | bytesTag:
			w.hash, ok = f.body, utf8.Valid(f.body)
		case 3<<3 | bytesTag:
			ok = wellFormed(f.body, shapeRewards)
		case 4<<3 | bytesTag:
			ok = firstVarint(f.body, func(v uint64) { w.BlockTime = int64(v) })
		case 5<<3 | bytesTag:
			ok = firstVarint(f.body, func(v uint64) { w.BlockHeight = v })
		case 6<<3 | varintTag:
			w.ParentSlot = f.value
		case 7<<3 | bytesTag:
			w.parent, ok = f.body, utf8.Valid(f.body)
		case 8<<3 | varintTag:
			w.Transactions = f.value
		case bankInBlockMeta<<3 | varintTag:
			w.Bank = f.value
		}
		if !ok {
			return false
		}
	}
	return !f.bad
}

// firstVarint reads a message whose only field is a number with the tag 1.
func firstVarint(b []byte, set func(uint64)) bool {
	f := fields{rest: b}
	for f.next() {
		if f.tag == 1<<3|varintTag {
			set(f.value)
		}
	}
	return !f.bad
}

// The wire types that known fields have, as they stand in a tag.
const (
	varintTag = uint64(protowire.VarintType)
	bytesTag  = uint64(protowire.BytesType)
)

// fields walks over the fields of one message.
type fields struct {
	rest  []byte
	tag   uint64 // number<<3 | wire type
	value uint64 // of a varint
	body  []byte // of a length-delimited field; its capacity ends where it ends
	bad   bool   // the message is malformed; next has returned false
}

func (f *fields) number() protowire.Number { return protowire.Number(f.tag >> 3) }

// next reads one field, and reports false at the end or where the bytes are
// no field.
func (f *fields) next() bool {
	if len(f.rest) == 0 {
		return false
	}
	var ok bool
	if f.tag, ok = f.varint(); !ok {
		return false
	}
	if n := f.tag >> 3; n < uint64(protowire.MinValidNumber) || n > uint64(protowire.MaxValidNumber) {
		f.bad = true
		return false
	}
	switch f.tag & 7 {
	case varintTag:
		f.value, ok = f.varint()
		return ok
	case bytesTag:
		size, ok := f.varint()
		if !ok || size > uint64(len(f.rest)) {
			f.bad = true
			return false
		}
		f.body, f.rest = f.rest[:size:size], f.rest[size:]
		return true
	}
	n := protowire.ConsumeFieldValue(f.number(), protowire.Type(f.tag&7), f.rest)
	if n < 0 {
		f.bad = true
		return false
	}
	f.rest = f.rest[n:]
	return true
}

// varint takes a number off the front; most have one byte or two.
func (f *fields) varint() (uint64, bool) {
	b := f.rest
	switch {
	case len(b) > 0 && b[0] < 0x80:
		f.rest = b[1:]
		return uint64(b[0]), true
	case len(b) > 1 && b[1] < 0x80:
		f.rest = b[2:]
		return uint64(b[0]&0x7f) | uint64(b[1])<<7, true
	}
	v, n := protowire.ConsumeVarint(b)
	if n < 0 {
		f.bad = true
		return 0, false
	}
	f.rest = b[n:]
	return v, true
}

// text is b as a string without a copy; it is sound as long as b does not
// change, which Update asks of its caller.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
