package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/klauspost/compress/s2"
)

// What is stored under a key in Redis, integers big-endian:
//
//	0   1      form, 1
//	1   1      flags: 1 negative, 2 compressed (s2, one block)
//	2   8      fence: Redis's clock in microseconds when the load's lease was given
//	10  4      milliseconds after the fence until which it is fresh
//	14  4      milliseconds after the fence until which Redis keeps it
//	18  1      number of versions
//	19  8 each versions of its tags in order, then the namespace's, as they were before the load
//	    n      the value in JSON, maybe compressed; nothing where negative
//	    4      CRC-32C of all before
//
// Scripts read the fence at its place.
const (
	storedForm = 1

	flagNegative   = 1
	flagCompressed = 2

	fenceAt, fenceEnd = 2, 10
	storedHeader      = 19
)

// stored is one value in Redis.
type stored struct {
	negative bool
	fence    uint64
	fresh    time.Duration // after the fence
	life     time.Duration // after the fence
	versions []uint64
	value    []byte // JSON
}

// errStored says that bytes from Redis are not a stored value. They may be of
// another program, or damaged.
var errStored = errors.New("not a stored value")

// append writes s, the value compressed if it is longer than compressOver and
// shrinks by it.
func (s *stored) append(b []byte, compressOver int) []byte {
	start := len(b)
	flags := byte(0)
	if s.negative {
		flags |= flagNegative
	}
	value := s.value
	if compressOver >= 0 && len(value) > compressOver {
		if small := s2.Encode(nil, value); len(small) < len(value) {
			value = small
			flags |= flagCompressed
		}
	}
	b = append(b, storedForm, flags)
	b = binary.BigEndian.AppendUint64(b, s.fence)
	b = binary.BigEndian.AppendUint32(b, millis(s.fresh))
	b = binary.BigEndian.AppendUint32(b, millis(s.life))
	b = append(b, byte(len(s.versions)))
	for _, v := range s.versions {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = append(b, value...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], crc32.MakeTable(crc32.Castagnoli)))
}

// parseStored reads what append wrote. The value shares raw's memory unless it
// was compressed; one that would be larger than maxBytes is refused unread.
func parseStored(raw []byte, maxBytes int) (stored, error) {
	var s stored
	if len(raw) < storedHeader+4 {
		return s, fmt.Errorf("%w: %d bytes", errStored, len(raw))
	}
	if raw[0] != storedForm {
		return s, fmt.Errorf("%w: form %d", errStored, raw[0])
	}
	body, sum := raw[:len(raw)-4], binary.BigEndian.Uint32(raw[len(raw)-4:])
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return s, fmt.Errorf("%w: checksum", errStored)
	}
	flags := raw[1]
	if flags&^(flagNegative|flagCompressed) != 0 {
		return s, fmt.Errorf("%w: flags %#x", errStored, flags)
	}
	s.negative = flags&flagNegative != 0
	s.fence = binary.BigEndian.Uint64(raw[fenceAt:fenceEnd])
	s.fresh = time.Duration(binary.BigEndian.Uint32(raw[10:])) * time.Millisecond
	s.life = time.Duration(binary.BigEndian.Uint32(raw[14:])) * time.Millisecond
	n := int(raw[18])
	value := body[storedHeader:]
	if len(value) < 8*n {
		return s, fmt.Errorf("%w: %d versions in %d bytes", errStored, n, len(value))
	}
	s.versions = make([]uint64, n)
	for i := range s.versions {
		s.versions[i] = binary.BigEndian.Uint64(value[8*i:])
	}
	value = value[8*n:]
	if flags&flagCompressed != 0 {
		size, err := s2.DecodedLen(value)
		if err != nil || size > maxBytes {
			return s, fmt.Errorf("%w: compressed value of %d bytes: %w", errStored, size, err)
		}
		if value, err = s2.Decode(nil, value); err != nil {
			return s, fmt.Errorf("%w: %w", errStored, err)
		}
	}
	if len(value) > maxBytes || s.negative != (len(value) == 0) {
		return s, fmt.Errorf("%w: value of %d bytes", errStored, len(value))
	}
	s.value = value
	return s, nil
}

// millis rounds up and stays within its four bytes: 49 days.
func millis(d time.Duration) uint32 {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return uint32(min(max(ms, 0), 1<<32-1)) //nolint:gosec // bounded in the line itself
}
