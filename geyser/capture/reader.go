package capture

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
)

// Reader reads a capture from a stream, message by message, holding one
// message in memory. One goroutine at a time.
type Reader struct {
	src    *bufio.Reader // delimited or framed messages
	zstd   *zstd.Decoder // nil in the framed form
	framed bool
	ended  bool // the end mark was the last thing read
	feed   swapcast.Feed
	n      int // messages read
	buf    []byte
	err    error // sticky
}

// NewReader reads the header and gets ready for the first message. It takes
// our own form and the 4-byte big-endian form; JSON is Import's. Input that
// ends within the header gives swapcast.ErrCaptureCut.
func NewReader(r io.Reader) (*Reader, error) {
	src := bufio.NewReaderSize(r, 64<<10)
	f, err := sniff(src)
	if err != nil {
		return nil, err
	}
	return newReader(src, f)
}

func newReader(src *bufio.Reader, f form) (*Reader, error) {
	switch f {
	case formFramed:
		return &Reader{src: src, framed: true}, nil
	case formJSON:
		return nil, errors.New("this is JSON, not a capture")
	}
	head, err := src.Peek(headerSize)
	if err != nil {
		return nil, err
	}
	feed, _ := feedIn(head)
	if _, err := src.Discard(headerSize); err != nil {
		return nil, err
	}
	// One goroutine: what comes before a cut must all be delivered, and
	// nothing may outlive the reader.
	z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return nil, err
	}
	return &Reader{src: bufio.NewReaderSize(z, 64<<10), zstd: z, feed: feed}, nil
}

// Next returns the next message, which is the caller's to keep. io.EOF ends a
// whole capture; swapcast.ErrCaptureCut one that stops without its end mark,
// after all that came before was returned. A message that is no protobuf
// gives an *ItemError, and reading may go on behind it; other errors are
// final.
func (r *Reader) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := r.message(); err != nil {
		r.err = err
		r.Close()
		return nil, err
	}
	r.n++
	u := &pb.SubscribeUpdate{}
	if err := proto.Unmarshal(r.buf, u); err != nil {
		return nil, &ItemError{Where: fmt.Sprintf("message %d", r.n), Err: fmt.Errorf("no SubscribeUpdate: %w", err)}
	}
	return u, nil
}

// Feed is what the capture's header says was recorded.
func (r *Reader) Feed() swapcast.Feed { return r.feed }

// Close frees the decoder. It does not close the reader below.
func (r *Reader) Close() {
	if r.zstd != nil {
		r.zstd.Close()
	}
}

// message reads the next message's bytes into buf, skipping end marks: two
// captures written one after the other are one capture.
func (r *Reader) message() error {
	for {
		n, err := r.length()
		if errors.Is(err, io.EOF) {
			if r.ended || r.framed {
				return io.EOF
			}
			return r.damage(io.ErrUnexpectedEOF)
		}
		if err != nil {
			return r.damage(err)
		}
		if n > maxMessage {
			return fmt.Errorf("message %d: a length of %d bytes is absurd (limit %d)", r.n+1, n, maxMessage)
		}
		r.ended = n == 0 && !r.framed
		if r.ended {
			continue
		}
		if err := r.body(int(n)); err != nil {
			return r.damage(err)
		}
		return nil
	}
}

// damage words an error of the bytes below.
func (r *Reader) damage(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("after message %d: %w", r.n, swapcast.ErrCaptureCut)
	}
	return fmt.Errorf("after message %d: capture is damaged: %w", r.n, err)
}

func (r *Reader) length() (uint64, error) {
	if !r.framed {
		return binary.ReadUvarint(r.src)
	}
	var b [4]byte
	if _, err := io.ReadFull(r.src, b[:]); err != nil {
		return 0, err
	}
	return bigEndian(b[:]), nil
}

// body fills buf with n bytes. It grows buf as bytes arrive, not as the
// length promises, so that a false length costs no memory.
func (r *Reader) body(n int) error {
	const step = 1 << 20
	r.buf = r.buf[:0]
	for len(r.buf) < n {
		at, want := len(r.buf), min(n-len(r.buf), step)
		if cap(r.buf) < at+want {
			grown := make([]byte, at, max(at+want, min(2*cap(r.buf), n)))
			copy(grown, r.buf)
			r.buf = grown
		}
		r.buf = r.buf[:at+want]
		if _, err := io.ReadFull(r.src, r.buf[at:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}
