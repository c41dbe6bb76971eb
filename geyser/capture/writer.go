package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
)

// flushEvery is how many bytes of messages a Writer gathers at most before
// they leave it. More would pack a little better and lose more in a crash.
const flushEvery = 1 << 20

// Writer writes a capture to a stream. One goroutine at a time.
type Writer struct {
	dst     io.Writer
	zstd    *zstd.Encoder
	pending int // bytes given to zstd since the last flush
	buf     []byte
	err     error // sticky: after a failed write the stream has no known end
}

// NewWriter writes the header to w, with the kind of feed that is recorded.
// Close completes the capture.
func NewWriter(w io.Writer, feed swapcast.Feed) (*Writer, error) {
	if _, err := io.WriteString(w, captureHeader(feed)); err != nil {
		return nil, err
	}
	// One goroutine, 4 MiB of history: about 100 MB/s on one core, a tenth of
	// which is more than mainnet's swaps make.
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil, err
	}
	return &Writer{dst: w, zstd: z}, nil
}

// Write appends one message. It reaches the underlying writer with the next
// flush, which comes by itself after 1 MiB of messages.
func (w *Writer) Write(u *pb.SubscribeUpdate) error {
	if w.err != nil {
		return w.err
	}
	size := proto.Size(u)
	if size == 0 {
		return errors.New("an empty update cannot be captured: length 0 is the end mark")
	}
	if size > maxMessage {
		return fmt.Errorf("an update of %d bytes is larger than a capture can hold (%d)", size, maxMessage)
	}
	w.buf = binary.AppendUvarint(w.buf[:0], uint64(size))
	var err error
	w.buf, err = proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(w.buf, u)
	if err != nil {
		return err
	}
	return w.put(w.buf)
}

func (w *Writer) put(b []byte) error {
	if _, err := w.zstd.Write(b); err != nil {
		w.err = err
		return err
	}
	w.pending += len(b)
	if w.pending >= flushEvery {
		return w.Flush()
	}
	return nil
}

// Flush hands everything written so far to the underlying writer in a form
// that can be read back without what follows. Call it about once a second.
func (w *Writer) Flush() error {
	if w.err != nil || w.pending == 0 {
		return w.err
	}
	w.pending = 0
	w.err = w.zstd.Flush()
	return w.err
}

// Close writes the end mark and the checksum. It does not close the
// underlying writer. A Writer that failed, or was closed, stays so.
func (w *Writer) Close() error {
	// The messages leave in a block of their own, so that a file that lost its
	// last bytes has lost none of them.
	if w.Flush() == nil {
		w.err = w.put([]byte{0})
	}
	if w.err != nil {
		return w.err
	}
	if err := w.zstd.Close(); err != nil {
		w.err = err
		return err
	}
	w.err = errors.New("capture is closed")
	return nil
}
