package geyser

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// shape is a message type as far as its wire form can be wrong: which of its
// fields are messages, and which are strings and so must be UTF-8.
type shape uint8

const (
	shapeNone shape = iota // no message: bytes, or a field that is not known
	shapeFlat              // nothing but numbers and bytes
	shapeUpdate
	shapeAccount
	shapeBlock
	shapeTransactionStatus
	shapeTransactionInfo
	shapeTransaction
	shapeMessage
	shapeMeta
	shapeInner
	shapeToken
	shapeAmount
	shapeReward
	shapeRewards
)

// field tells what a length-delimited field of the message holds. The numbers
// are those of geyser.proto and solana-storage.proto.
func (s shape) field(n protowire.Number) (part shape, isText bool) {
	switch s {
	case shapeUpdate: // those that nobody reads
		return pick(n, 2, shapeAccount, 5, shapeBlock, 8, shapeFlat, 10, shapeTransactionStatus), false
	case shapeAccount:
		return pick(n, 1, shapeFlat), false
	case shapeTransactionStatus:
		return pick(n, 5, shapeFlat), false
	case shapeBlock:
		return pick(n, 3, shapeRewards, 4, shapeFlat, 5, shapeFlat, 6, shapeTransactionInfo, 11, shapeFlat, 13, shapeFlat), n == 2 || n == 8
	case shapeTransactionInfo:
		return pick(n, 3, shapeTransaction, 4, shapeMeta), false
	case shapeTransaction:
		return pick(n, 2, shapeMessage), false
	case shapeMessage:
		return pick(n, 1, shapeFlat, 4, shapeFlat, 6, shapeFlat), false
	case shapeMeta:
		return pick(n, 1, shapeFlat, 5, shapeInner, 7, shapeToken, 8, shapeToken, 9, shapeReward, 14, shapeFlat), n == 6
	case shapeInner:
		return pick(n, 2, shapeFlat), false
	case shapeToken:
		return pick(n, 3, shapeAmount), n == 2 || n == 4 || n == 5
	case shapeAmount:
		return shapeNone, n == 3 || n == 4
	case shapeReward:
		return shapeNone, n == 1 || n == 5
	case shapeRewards:
		return pick(n, 1, shapeReward, 2, shapeFlat), false
	}
	return shapeNone, false
}

// pick looks n up in a list of number and shape, shapeNone where it is not in.
func pick(n protowire.Number, list ...shape) shape {
	for i := 0; i < len(list); i += 2 {
		if n == protowire.Number(list[i]) {
			return list[i+1]
		}
	}
	return shapeNone
}

// wellFormed reports whether the generated code would take b as a message of
// this shape. It reads what nobody wants to know: a stream that carries
// something else than we think must not go unseen.
func wellFormed(b []byte, s shape) bool {
	f := fields{rest: b}
	for f.next() {
		if f.tag&7 != bytesTag || s == shapeFlat {
			continue
		}
		part, isText := s.field(f.number())
		switch {
		case isText:
			if !utf8.Valid(f.body) {
				return false
			}
		case part != shapeNone:
			if !wellFormed(f.body, part) {
				return false
			}
		case s == shapeMeta && (f.number() == 3 || f.number() == 4): // packed lamports
			if !packed(f.body) {
				return false
			}
		}
	}
	return !f.bad
}

func packed(b []byte) bool {
	f := fields{rest: b}
	for len(f.rest) > 0 {
		if _, ok := f.varint(); !ok {
			return false
		}
	}
	return true
}
