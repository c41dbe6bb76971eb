package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/capture"
)

// teeSize is how many updates the fastest reader of a Tee may be ahead of the
// slowest.
const teeSize = 8192

// Tee gives n readers the same updates of one source: several servers are then
// endpoints of one chain, and at one pace, for the one that is ahead waits. Each
// reader must be read or closed, and belongs to one goroutine; src is closed with
// the last of them.
func Tee(src Source, n int) []Source {
	t := &tee{src: src, readers: make([]*teeReader, n), ring: make([]teeItem, teeSize)}
	t.changed.L = &t.mu
	out := make([]Source, n)
	for i := range out {
		t.readers[i] = &teeReader{tee: t}
		out[i] = t.readers[i]
	}
	return out
}

type tee struct {
	src Source

	// Guarded by mu.
	mu      sync.Mutex
	changed sync.Cond // something below has changed
	readers []*teeReader
	ring    []teeItem // position p stands at p%teeSize
	next    uint64
	reading bool  // a reader is at the source
	end     error // of the source, after what is in the ring
	closed  int
}

// teeItem is an update, or the error that stands for one that cannot be read.
type teeItem struct {
	u   *pb.SubscribeUpdate
	err error
}

type teeReader struct {
	tee *tee

	// Guarded by tee.mu.
	pos    uint64
	closed bool
}

// Next returns the reader's next update. Whoever is first reads the source for
// all.
func (r *teeReader) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	t := r.tee
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case r.pos < t.next:
			item := &t.ring[r.pos%teeSize]
			r.pos++
			u, err := item.u, item.err
			if r.pos%1024 == 0 {
				t.changed.Broadcast() // there may be room for one that waits for it
			}
			return u, err
		case t.end != nil:
			return nil, t.end
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case t.reading || t.next-t.slowest() >= teeSize:
			t.wait(ctx)
		default:
			if err := t.read(ctx); err != nil {
				return nil, err
			}
		}
	}
}

// wait waits for a change, or for ctx.
func (t *tee) wait(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})
	t.changed.Wait()
	stop()
}

// read takes one update from the source, without the lock. Its error is ctx's.
func (t *tee) read(ctx context.Context) error {
	t.reading = true
	t.mu.Unlock()
	u, err := t.src.Next(ctx)
	t.mu.Lock()
	t.reading = false
	t.changed.Broadcast()
	var one *capture.ItemError
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err() // this reader's end, not the source's
	case err != nil && !errors.As(err, &one):
		t.end = err
	default:
		t.ring[t.next%teeSize] = teeItem{u, err}
		t.next++
	}
	return nil
}

// slowest is the position of the reader that is furthest behind.
func (t *tee) slowest() uint64 {
	low := t.next
	for _, r := range t.readers {
		if !r.closed {
			low = min(low, r.pos)
		}
	}
	return low
}

// Close lets the others go on without this reader, and closes the source with
// the last.
func (r *teeReader) Close() error {
	t := r.tee
	t.mu.Lock()
	if r.closed {
		t.mu.Unlock()
		return nil
	}
	r.closed = true
	t.closed++
	last := t.closed == len(t.readers)
	t.changed.Broadcast()
	t.mu.Unlock()
	c, ok := t.src.(io.Closer)
	if !last || !ok {
		return nil
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("close the shared source: %w", err)
	}
	return nil
}
