package capture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/swapcast/swapcast"
)

// header opens every capture. It is a zstd skippable frame, so that plain
// zstd tools read a capture too and give the length-delimited messages. Its
// last byte tells the feed that was recorded: a made-up market must not come
// back as a chain.
const (
	headerFrame   = "\x5c\x2a\x4d\x18\x13\x00\x00\x00" // magic 0x184D2A5C, 19 bytes follow
	headerName    = "swapcast-capture/"
	headerVersion = headerFrame + headerName + "1"
	headerSize    = len(headerVersion) + 1

	headerLive      = '\n' // a chain, or a server that does not say
	headerSimulated = 's'
	headerReplay    = 'r'
)

// captureHeader makes the header of a recording of feed.
func captureHeader(feed swapcast.Feed) string {
	switch feed {
	case swapcast.FeedLive:
		return headerVersion + string(rune(headerLive))
	case swapcast.FeedSimulated:
		return headerVersion + string(rune(headerSimulated))
	default:
		return headerVersion + string(rune(headerReplay))
	}
}

// feedIn reads the feed from a header; ok is false for any other bytes.
func feedIn(head []byte) (feed swapcast.Feed, ok bool) {
	if len(head) < headerSize || string(head[:headerSize-1]) != headerVersion {
		return swapcast.FeedLive, false
	}
	switch head[headerSize-1] {
	case headerLive:
		return swapcast.FeedLive, true
	case headerSimulated:
		return swapcast.FeedSimulated, true
	case headerReplay:
		return swapcast.FeedReplay, true
	default:
		return swapcast.FeedLive, false
	}
}

// maxMessage bounds one message. A full block with all accounts stays below
// it; a length above it is damage or no capture at all.
const maxMessage = 256 << 20

// form is what an input turned out to be.
type form int

const (
	formCapture form = iota // our own: header, zstd, varint lengths, end mark
	formFramed              // SubscribeUpdate messages, each after a 4-byte big-endian length
	formJSON                // RPC JSON
)

// sniff looks at the first bytes without taking any. The forms exclude each
// other: a frame length that begins with '{' or '[' would exceed maxMessage.
func sniff(r *bufio.Reader) (form, error) {
	head, err := r.Peek(headerSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"); {
	case len(head) == 0:
		return 0, errors.New("the input is empty")
	case len(head) < headerSize && string(head) == headerVersion[:len(head)]:
		return 0, fmt.Errorf("in its header: %w", swapcast.ErrCaptureCut)
	case bytes.HasPrefix(head, []byte(headerFrame+headerName)):
		if _, ok := feedIn(head); !ok {
			return 0, fmt.Errorf("capture of version %q: this program reads version 1", head[len(headerFrame+headerName):])
		}
		return formCapture, nil
	case len(text) > 0 && (text[0] == '{' || text[0] == '['), isNull(text):
		return formJSON, nil
	case len(head) < 5 && head[0] == 0:
		return 0, fmt.Errorf("in its first length: %w", swapcast.ErrCaptureCut)
	case len(head) >= 5 && plausibleFrame(head):
		return formFramed, nil
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return 0, errors.New("zstd without a capture header: unpack it first")
	default:
		return 0, errors.New("neither a capture nor JSON of transactions or blocks")
	}
}

// isNull tells whether text begins with the JSON null, which is what a node
// answers for what it does not have.
func isNull(text []byte) bool {
	rest, null := bytes.CutPrefix(text, []byte("null"))
	return null && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// plausibleFrame reports whether head can be a length and the first tag of a
// SubscribeUpdate: fields 1 to 11, all of them length-delimited.
func plausibleFrame(head []byte) bool {
	n := bigEndian(head)
	tag := head[4]
	return n > 1 && n <= maxMessage && tag&7 == 2 && tag>>3 >= 1 && tag>>3 <= 11
}

func bigEndian(b []byte) uint64 {
	return uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
}
