package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends a MessagePack value as JSON: what a client of Subprotocol
// sends, or is sent. It takes any bytes, is bounded in depth and in memory by what
// is there, and never panics; an error's text is fit for the client. Keys must be
// strings. Binary values and extensions, which JSON has not, are refused; a float
// that JSON cannot hold becomes null.
func AppendJSON(dst, packed []byte) ([]byte, error) {
	u := unpacker{data: packed, dst: dst}
	if err := u.value(0); err != nil {
		return dst, err
	}
	if u.pos != len(u.data) {
		return dst, u.fail("more than one MessagePack value")
	}
	return u.dst, nil
}

// unpacker walks over MessagePack and appends it to dst.
type unpacker struct {
	data []byte
	pos  int
	dst  []byte
}

func (u *unpacker) fail(what string) error {
	return fmt.Errorf("%w: %s at byte %d", errShape, what, u.pos)
}

// uint reads a big-endian integer of n bytes.
func (u *unpacker) uint(n int) (uint64, error) {
	if len(u.data)-u.pos < n {
		return 0, u.fail("MessagePack ends too early")
	}
	var b [8]byte
	copy(b[8-n:], u.data[u.pos:u.pos+n])
	u.pos += n
	return binary.BigEndian.Uint64(b[:]), nil
}

func (u *unpacker) value(depth int) error {
	if depth > maxDepth {
		return u.fail("nested too deeply")
	}
	first, err := u.uint(1)
	if err != nil {
		return err
	}
	switch c := byte(first); {
	case c < fixMap:
		u.dst = strconv.AppendUint(u.dst, first, 10)
	case c >= negFix:
		u.dst = strconv.AppendInt(u.dst, int64(int8(c)), 10)
	case c < fixArray:
		return u.mapping(int(c&0x0f), depth)
	case c < fixStr:
		return u.array(int(c&0x0f), depth)
	case c < nilByte:
		return u.text(int(c & 0x1f))
	case c == nilByte:
		u.dst = append(u.dst, "null"...)
	case c == falseBit, c == falseBit+1:
		u.dst = strconv.AppendBool(u.dst, c != falseBit)
	case c == float32b, c == float64b:
		return u.float(c)
	case c >= uint8b && c < uint8b+4:
		v, err := u.uint(1 << (c - uint8b))
		u.dst = strconv.AppendUint(u.dst, v, 10)
		return err
	case c >= int8b && c < int8b+4:
		size := 1 << (c - int8b)
		v, err := u.uint(size)
		shift := 64 - 8*size
		u.dst = strconv.AppendInt(u.dst, int64(v<<shift)>>shift, 10)
		return err
	case c >= str8 && c < str8+3:
		n, err := u.length(1 << (c - str8))
		if err != nil {
			return err
		}
		return u.text(n)
	case c == array16, c == array16+1:
		n, err := u.length(2 << (c - array16))
		if err != nil {
			return err
		}
		return u.array(n, depth)
	case c == map16, c == map16+1:
		n, err := u.length(2 << (c - map16))
		if err != nil {
			return err
		}
		return u.mapping(n, depth)
	default:
		return u.fail("binary values and extensions are not read")
	}
	return nil
}

// length reads the length of what follows. Nothing is made of it that is longer
// than the bytes that are there: each element takes one at least.
func (u *unpacker) length(size int) (int, error) {
	n, err := u.uint(size)
	if err == nil && n > uint64(len(u.data)-u.pos) {
		err = u.fail("MessagePack ends too early")
	}
	return int(n), err
}

func (u *unpacker) float(format byte) error {
	var f float64
	if format == float32b {
		v, err := u.uint(4)
		if err != nil {
			return err
		}
		f = float64(math.Float32frombits(uint32(v)))
	} else {
		v, err := u.uint(8)
		if err != nil {
			return err
		}
		f = math.Float64frombits(v)
	}
	u.dst = appendFloat(u.dst, f)
	return nil
}

func (u *unpacker) text(n int) error {
	if len(u.data)-u.pos < n {
		return u.fail("MessagePack ends too early")
	}
	b := u.data[u.pos : u.pos+n]
	if !utf8.Valid(b) {
		return u.fail("a string is not valid UTF-8")
	}
	u.pos += n
	u.dst = appendString(u.dst, string(b))
	return nil
}

func (u *unpacker) array(n, depth int) error {
	u.dst = append(u.dst, '[')
	for i := range n {
		if i > 0 {
			u.dst = append(u.dst, ',')
		}
		if err := u.value(depth + 1); err != nil {
			return err
		}
	}
	u.dst = append(u.dst, ']')
	return nil
}

func (u *unpacker) mapping(n, depth int) error {
	u.dst = append(u.dst, '{')
	for i := range n {
		if i > 0 {
			u.dst = append(u.dst, ',')
		}
		if u.pos < len(u.data) {
			if c := u.data[u.pos]; c&0xe0 != fixStr && (c < str8 || c >= str8+3) {
				return u.fail("a key is no string")
			}
		}
		if err := u.value(depth + 1); err != nil {
			return err
		}
		u.dst = append(u.dst, ':')
		if err := u.value(depth + 1); err != nil {
			return err
		}
	}
	u.dst = append(u.dst, '}')
	return nil
}
