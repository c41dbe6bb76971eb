package wire

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// Subprotocol is what a client names in Sec-WebSocket-Protocol to be sent
// MessagePack in binary frames in place of JSON in text frames: the same messages
// with the same fields.
const Subprotocol = "swapcast.v1.msgpack"

// AppendMsgpack appends a message that an encoder of this package made, as
// MessagePack (github.com/msgpack/msgpack, spec.md). Objects become maps in the
// order of their fields, integers the shortest integer, and the fields that hold
// fractions are float 64 always, whole or not, so that a field has one type.
// What an encoder did not make gives bytes of no meaning, but no panic.
//
// It is made out of the JSON, so that no field can be in one form and not in the
// other.
func AppendMsgpack(dst, message []byte) []byte {
	p := packer{scanner: scanner{data: message}, dst: dst}
	p.value(0, false)
	return p.dst
}

// AppendArrayHeader appends what stands before the n messages of a batch.
func AppendArrayHeader(dst []byte, n int) []byte {
	return appendHeader(dst, n, fixArray, array16)
}

// First bytes of MessagePack's formats. A map or an array of up to 15 has its
// length in the first byte, a string of up to 31.
const (
	fixMap   = 0x80
	fixArray = 0x90
	fixStr   = 0xa0
	nilByte  = 0xc0
	falseBit = 0xc2
	float32b = 0xca
	float64b = 0xcb
	uint8b   = 0xcc
	int8b    = 0xd0
	str8     = 0xd9
	array16  = 0xdc
	map16    = 0xde
	negFix   = 0xe0
)

// fraction tells which fields hold fractions.
func fraction(name []byte) bool {
	switch string(name) {
	case "price", "priceSol", "confidence", "liquidityUsd", "amountUsd", "o", "h", "l", "c", "volumeUsd":
		return true
	default:
		return false
	}
}

// packer walks over a message and appends it to dst.
type packer struct {
	scanner
	dst []byte
}

func (p *packer) value(depth int, fractional bool) {
	if depth > maxDepth {
		p.pos = len(p.data)
	}
	switch c := p.peek(); c {
	case '{':
		p.list(depth, '}', fixMap, map16)
	case '[':
		p.list(depth, ']', fixArray, array16)
	case '"':
		p.string()
	case 't', 'f':
		p.dst = append(p.dst, falseBit)
		if c == 't' {
			p.dst[len(p.dst)-1]++
		}
		p.pos += len("true")
		if c == 'f' {
			p.pos++
		}
	case 'n':
		p.dst = append(p.dst, nilByte)
		p.pos += len("null")
	default:
		p.number(fractional)
	}
}

// list packs an object or an array, whose length is known at its end only.
func (p *packer) list(depth int, end byte, short, long byte) {
	p.pos++
	at := len(p.dst)
	p.dst = append(p.dst, short)
	n := 0
	for {
		switch p.peek() {
		case 0:
			return
		case end:
			p.pos++
			if n < 16 {
				p.dst[at] = short | byte(n)
				return
			}
			var room [5]byte
			header := appendHeader(room[:0], n, short, long)
			p.dst = append(p.dst, header[1:]...)
			copy(p.dst[at+len(header):], p.dst[at+1:len(p.dst)-len(header)+1])
			copy(p.dst[at:], header)
			return
		case ',':
			p.pos++
		default:
			var name []byte
			if end == '}' {
				if name = p.string(); p.peek() != ':' {
					p.pos = len(p.data)
					return
				}
				p.pos++
			}
			p.value(depth+1, fraction(name))
			n++
		}
	}
}

// string packs a string, and returns it as it stands in the message, without its
// quotes. What is none ends the walk.
func (p *packer) string() []byte {
	raw, plain, err := p.rawString()
	if err != nil {
		p.pos = len(p.data)
		return nil
	}
	text := raw[1 : len(raw)-1]
	if plain {
		p.dst = appendHeader(p.dst, len(text), fixStr, str8)
		p.dst = append(p.dst, text...)
		return text
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		p.pos = len(p.data)
		return nil
	}
	p.dst = appendHeader(p.dst, len(s), fixStr, str8)
	p.dst = append(p.dst, s...)
	return text
}

// number packs a number. One that no integer of 64 bits holds becomes a float.
func (p *packer) number(fractional bool) {
	start := p.pos
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c >= '0' && c <= '9', c == '-':
		case c == '.', c == 'e', c == 'E', c == '+':
			fractional = true
		default:
			p.packNumber(string(p.data[start:p.pos]), fractional)
			return
		}
		p.pos++
	}
	p.packNumber(string(p.data[start:]), fractional)
}

func (p *packer) packNumber(text string, fractional bool) {
	if !fractional {
		if v, err := strconv.ParseUint(text, 10, 64); err == nil {
			p.dst = appendUint(p.dst, v)
			return
		}
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			p.dst = appendInt(p.dst, v)
			return
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.pos = len(p.data) // no number: the walk must not stand still
	}
	p.dst = append(p.dst, float64b)
	p.dst = binary.BigEndian.AppendUint64(p.dst, math.Float64bits(v))
}

// appendHeader appends the first byte and the length of a string, an array or a
// map. long is the first of the formats with a length of their own: of strings
// that with one byte, of the others that with two.
func appendHeader(dst []byte, n int, short, long byte) []byte {
	most := 15
	if short == fixStr {
		most = 31
	}
	switch {
	case n <= most:
		return append(dst, short|byte(n))
	case short == fixStr && n <= math.MaxUint8:
		return append(dst, long, byte(n))
	}
	if short == fixStr {
		long++
	}
	if n <= math.MaxUint16 {
		return binary.BigEndian.AppendUint16(append(dst, long), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, long+1), uint32(n))
}

func appendUint(dst []byte, v uint64) []byte {
	switch {
	case v < fixMap:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, uint8b, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, uint8b+1), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, uint8b+2), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(dst, uint8b+3), v)
	}
}

// appendInt appends a negative integer.
func appendInt(dst []byte, v int64) []byte {
	switch {
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, int8b, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, int8b+1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, int8b+2), uint32(v))
	default:
		return binary.BigEndian.AppendUint64(append(dst, int8b+3), uint64(v))
	}
}
