package geyser

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // registers gzip
)

const zstdName = "zstd"

// gRPC finds compressors in a table of the process that may be written while
// packages are initialised and at no other time, so this cannot wait for New.
//
//nolint:gochecknoinits // see above
func init() { encoding.RegisterCompressor(&zstdCompressor{}) }

// zstdCompressor is zstd for gRPC, which brings gzip alone. Encoders and
// decoders are reused, one goroutine each.
type zstdCompressor struct {
	encoders sync.Pool
	decoders sync.Pool
}

func (*zstdCompressor) Name() string { return zstdName }

func (c *zstdCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	if e, ok := c.encoders.Get().(*zstdWriter); ok {
		e.Reset(w)
		return e, nil
	}
	e, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	return &zstdWriter{Encoder: e, home: &c.encoders}, nil
}

type zstdWriter struct {
	*zstd.Encoder
	home *sync.Pool
}

func (w *zstdWriter) Close() error {
	err := w.Encoder.Close()
	w.home.Put(w)
	return err
}

func (c *zstdCompressor) Decompress(r io.Reader) (io.Reader, error) {
	if d, ok := c.decoders.Get().(*zstdReader); ok {
		return d, d.Reset(r)
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
	if err != nil {
		return nil, err
	}
	return &zstdReader{Decoder: d, home: &c.decoders}, nil
}

// zstdReader goes back to its pool when gRPC closes it.
type zstdReader struct {
	*zstd.Decoder
	home *sync.Pool
}

func (r *zstdReader) Close() error {
	err := r.Reset(nil) // lets go of the message
	if errors.Is(err, io.EOF) {
		err = nil
	}
	r.home.Put(r)
	return err
}
