package swarm

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// maxFrame is the largest frame that a server may send: a batch of the newest prices of
// a thousand assets is a third of it.
const maxFrame = 1 << 20

var (
	errFrame     = errors.New("not a whole, unmasked WebSocket frame")
	errFrameSize = errors.New("frame over 1 MiB")
)

// cut takes the first frame off b. whole is false where the rest of it is yet to come;
// payload and rest point into b.
func cut(b []byte) (opcode byte, payload, rest []byte, whole bool, err error) {
	if len(b) < 2 {
		return 0, nil, b, false, nil
	}
	// Final, no extension bits, not masked: swapcast fragments nothing.
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, b, false, errFrame
	}
	size, at := uint64(b[1]), 2
	switch size {
	case 126:
		if len(b) < 4 {
			return 0, nil, b, false, nil
		}
		size, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		if len(b) < 10 {
			return 0, nil, b, false, nil
		}
		size, at = binary.BigEndian.Uint64(b[2:]), 10
	}
	if size > maxFrame {
		return 0, nil, b, false, errFrameSize
	}
	end := at + int(size)
	if len(b) < end {
		return 0, nil, b, false, nil
	}
	return b[0] & 15, b[at:end], b[end:], true, nil
}

// appendFrame appends a client's frame, masked as the protocol demands.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	var mask [4]byte
	binary.NativeEndian.PutUint32(mask[:], rand.Uint32())
	dst = append(dst, mask[:]...)
	for i, c := range payload {
		dst = append(dst, c^mask[i&3])
	}
	return dst
}

// closeCode reads the code of a close frame's payload; 1005 where it has none.
func closeCode(payload []byte) int {
	if len(payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(payload))
}
