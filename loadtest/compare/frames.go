package main

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// marker stands before the time of publication, Unix nanoseconds in 19 digits,
// in every message of every server.
//
//nolint:gochecknoglobals // a constant: Go has no constant slices
var marker = []byte(`"blockTime":`)

const markerDigits = 19

var errFrame = errors.New("frame is no unmasked WebSocket frame")

// frame cuts the first whole frame off b. ok is false where it is not whole
// yet.
func frame(b []byte) (opcode byte, payload, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return 0, nil, b, false, nil
	}
	if b[1]&0x80 != 0 || b[0]&0x70 != 0 {
		return 0, nil, b, false, errFrame
	}
	n, at := uint64(b[1]), 2
	switch n {
	case 126:
		if len(b) < 4 {
			return 0, nil, b, false, nil
		}
		n, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil, b, false, nil
		}
		n, at = binary.BigEndian.Uint64(b[2:]), 10
	}
	if n > uint64(len(b)-at) {
		return 0, nil, b, false, nil
	}
	end := at + int(n)
	return b[0] & 15, b[at:end], b[end:], true, nil
}

// stamps calls each with every time in a payload and returns how many there
// are.
func stamps(payload []byte, each func(ns int64)) int {
	n := 0
	for {
		i := bytes.Index(payload, marker)
		if i < 0 {
			return n
		}
		payload = payload[i+len(marker):]
		if len(payload) < markerDigits {
			return n
		}
		ns := int64(0)
		for _, c := range payload[:markerDigits] {
			if c < '0' || c > '9' {
				ns = 0
				break
			}
			ns = ns*10 + int64(c-'0')
		}
		if ns > 0 {
			n++
			each(ns)
		}
		payload = payload[1:]
	}
}

// masked makes a client's frame; the mask is zero, which the protocol allows.
func masked(opcode byte, payload []byte) []byte {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = append(b, 0x80|127)
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, payload...)
}
