package stream

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/swapcast/swapcast/stream/wire"
)

// Opcodes of RFC 6455, section 5.2, with the bit that says "whole message".
const (
	finText   = 0x81
	finBinary = 0x82
	finClose  = 0x88
	finPing   = 0x89
	finPong   = 0x8a

	rsv1       = 0x40 // the message is compressed: RFC 7692, section 6
	opcodeMask = 0x0f
	opClose    = 0x08
)

// maxHeader is the longest header of a frame from the server, which masks nothing.
const maxHeader = 10

// frame is one message as it goes to every subscriber: a text frame, header
// and all. It is immutable once it was published, but that its other forms are
// made when somebody first wants them.
type frame struct {
	bytes    []byte
	others   atomic.Pointer[otherForms] // nil: nobody wanted one yet
	position uint64                     // in the history; 0: it has none
	topic    *topic                     // of a trade or retract that was relayed; nil: something else
	seq      uint64                     // the topic's, where there is one
	header   uint8
	kind     kind
}

// kind is what a message is to the books: it decides what happens to it when
// the client is slow.
type kind uint8

const (
	kindPrice   kind = iota // the newest of an asset is enough
	kindTrade               // a trade or a retract: kept up to a bound
	kindCandle              // of one that changes yet: the newest is enough
	kindFinal               // of one that is over: kept up to a bound
	kindBalance             // kept up to a bound
	kindStatus              // the newest is enough
	kindGap                 // of the server's own: one for each subscription, then one that spans the next ones
	kindReply               // never dropped
	kinds
)

// newestOnly tells whether of the messages of a kind the newest is enough.
func (k kind) newestOnly() bool { return k == kindPrice || k == kindCandle || k == kindStatus }

// label is the metric label of the messages of a kind.
func (k kind) label() string {
	switch k {
	case kindPrice:
		return wire.ChannelPrices
	case kindTrade:
		return wire.ChannelTrades
	case kindCandle, kindFinal:
		return wire.ChannelCandles
	case kindBalance:
		return wire.ChannelBalances
	case kindStatus:
		return wire.ChannelStatus
	case kindGap:
		return "gaps"
	default:
		return "replies"
	}
}

// payload is the frame's JSON.
func (f *frame) payload() []byte { return f.bytes[f.header:] }

// newFrame makes a frame of what encode appends. size is a guess of its
// length.
func newFrame(k kind, size int, encode func(dst []byte) []byte) *frame {
	b := make([]byte, maxHeader, maxHeader+size)
	b = encode(b)
	start := putHeader(b, maxHeader, finText)
	return &frame{bytes: b[start:], header: uint8(maxHeader - start), kind: k}
}

// putHeader writes the header of a data frame, whose first byte is first, so that
// it ends at payload, where the payload of b begins, and returns where the header
// begins. There must be room for maxHeader bytes.
func putHeader(b []byte, payload int, first byte) int {
	n := len(b) - payload
	switch {
	case n < 126:
		b[payload-2], b[payload-1] = first, byte(n)
		return payload - 2
	case n <= 0xffff:
		b[payload-4], b[payload-3] = first, 126
		binary.BigEndian.PutUint16(b[payload-2:], uint16(n))
		return payload - 4
	default:
		b[payload-10], b[payload-9] = first, 127
		binary.BigEndian.PutUint64(b[payload-8:], uint64(n))
		return payload - 10
	}
}

// maxCloseReason is what a control frame's 125 bytes leave beside the code.
const maxCloseReason = 123

// closeFrame makes a close frame. A reason that is too long is cut; reasons
// are ASCII, so no character is cut in two.
func closeFrame(code wire.CloseCode, reason string) []byte {
	reason = reason[:min(len(reason), maxCloseReason)]
	b := make([]byte, 0, 4+len(reason))
	b = append(b, finClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(b, reason...)
}
