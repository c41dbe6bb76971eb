package geyser

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
)

// TestSubscriberMemory: the memory that a transaction points into is its own
// until it is released, however many come meanwhile, and is used again then.
func TestSubscriberMemory(t *testing.T) {
	const messages, held = 400, 16
	padding := strings.Repeat("x", 3000) // of a size that gRPC takes from its pool, and takes back
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		for i := range uint64(messages) {
			tx := sample()
			tx.Slot = i
			tx.Transaction.Transaction.Message.Instructions[1].Data = binary.BigEndian.AppendUint64(nil, i)
			tx.Transaction.Meta.LogMessages = []string{fmt.Sprint("log ", i), fmt.Sprint("of ", i), padding}
			if err := say(s, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: tx}}, pingUpdate()); err != nil {
				return err
			}
		}
		return hold(s)
	})
	r := start(t, o, 4)
	check := func(e *Event, i uint64) {
		tx := e.Tx
		if tx.Slot != i || binary.BigEndian.Uint64(tx.Instructions[1].Data) != i || len(tx.Logs) != 3 ||
			tx.Logs[0] != fmt.Sprint("log ", i) || tx.Logs[1] != fmt.Sprint("of ", i) {
			t.Fatalf("transaction %d: slot %d, instructions %v, logs %q", i, tx.Slot, tx.Instructions, tx.Logs)
		}
	}
	var ring [held]*Event
	seen := make(map[*Event]bool)
	for i := range uint64(messages) {
		if old := ring[i%held]; old != nil {
			check(old, i-held)
			old.Release()
		}
		ring[i%held] = r.next(t)
		seen[ring[i%held]] = true
	}
	for i := range uint64(held) {
		check(ring[i], messages-held+i)
		ring[i].Release()
	}
	if len(seen) > messages/2 {
		t.Errorf("%d events for %d messages: released ones are not used again", len(seen), messages)
	}
}

// TestSubscriberOnly: a transaction that names nothing wanted is counted as
// heard of and not passed on.
func TestSubscriberOnly(t *testing.T) {
	other := sample()
	other.Slot = 78
	other.Transaction.Meta.LoadedReadonlyAddresses[0] = key(9)
	other.Transaction.Meta.PreBalances = nil // never looked at
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		if err := say(s, &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: other}}, txUpdate()); err != nil {
			return err
		}
		return hold(s)
	})
	o.Only = []solana.PublicKey{{4, 1}, swapcast.USDC(), solana.PublicKey(key(4))}
	r := start(t, o, 0)
	e := r.next(t)
	if e.Kind != KindTx || e.Tx == nil || e.Tx.Slot != 77 {
		t.Errorf("first event: %+v", e)
	}
	e.Release()
	if st := r.sub.Status(); st.Unwanted != 1 || st.Slot != 78 {
		t.Errorf("status: %+v", st)
	}
}

func TestKeySet(t *testing.T) {
	usdc, wsol := swapcast.USDC(), solana.WrappedSol
	twin := usdc // of the same first byte
	twin[31]++
	s := newKeySet([]solana.PublicKey{usdc, solana.TokenProgramID})
	for name, c := range map[string]struct {
		keys []solana.PublicKey
		want bool
	}{
		"none":         {nil, false},
		"another":      {[]solana.PublicKey{wsol}, false},
		"a near one":   {[]solana.PublicKey{twin}, false},
		"the last one": {[]solana.PublicKey{wsol, twin, usdc}, true},
	} {
		if got := s.any(c.keys); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestEventReleaseLarge: one large message does not stay for good.
func TestEventReleaseLarge(t *testing.T) {
	o := serve(t, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) })
	sub, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for size, kept := range map[int]bool{keptMessage: true, keptMessage + 1: false} {
		e := &Event{home: &sub.events, buf: make([]byte, size)}
		e.Release()
		if (cap(e.buf) > 0) != kept {
			t.Errorf("of a message of %d bytes, %d are kept", size, cap(e.buf))
		}
	}
}

// TestPromiseIsTakenBack: a stream that brought nothing but the promise of where it
// begins is told to have ended, or it would be hoped for for ever.
func TestPromiseIsTakenBack(t *testing.T) {
	ghost := func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error {
		// A stage that only a newer server knows tells where the stream is, and is
		// not passed on.
		return say(s, slotUpdate(100, pb.SlotStatus(42)))
	}
	r := start(t, serve(t, ghost, func(_ *pb.SubscribeRequest, s pb.Geyser_SubscribeServer) error { return hold(s) }), 4)
	began, ended := r.any(t), r.any(t)
	if began.Kind != KindStreamStart || ended.Kind != KindStreamEnd || began.Stream != ended.Stream {
		t.Errorf("got %v of stream %d, then %v of stream %d", began.Kind, began.Stream, ended.Kind, ended.Stream)
	}
}
