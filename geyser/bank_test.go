package geyser

import (
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"
)

// TestBank: the bank goes over the wire in every message that has one, into
// both decoders' views.
func TestBank(t *testing.T) {
	d := NewWireDecoder()
	seen := map[Kind]int{}
	for i, u := range sampleUpdates() {
		place, _ := bankPlace(u)
		SetBank(u, 1)
		SetBank(u, 1<<40+7) // in place of the first
		b, err := proto.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		want := uint64(1<<40 + 7)
		if place == nil {
			want = 0
		}
		var back pb.SubscribeUpdate
		if err := proto.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if got := Bank(&back); got != want {
			t.Errorf("update %d (%T): bank %d, want %d", i, u.GetUpdateOneof(), got, want)
		}
		var e Event
		if err := d.Update(b, &e); err != nil {
			t.Fatal(err)
		}
		got := want
		switch e.Kind {
		case KindTx:
			got = e.Tx.Bank
		case KindSlot:
			got = e.Slot.Bank
		case KindBlock:
			got = e.Block.Bank
		}
		if got != want {
			t.Errorf("update %d: event with bank %d, want %d", i, got, want)
		}
		seen[e.Kind]++
		SetBank(u, 0)
		if Bank(u) != 0 {
			t.Errorf("update %d keeps its bank", i)
		}
	}
	if seen[KindTx] == 0 || seen[KindSlot] == 0 || seen[KindBlock] == 0 {
		t.Errorf("kinds seen: %v", seen)
	}
}
