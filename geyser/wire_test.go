package geyser_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
)

// decoders are both ways from a message's bytes to an event, kept between
// messages so that what one leaves behind would show in the next.
type decoders struct {
	wire  *geyser.WireDecoder
	event geyser.Event
	plain *geyser.Decoder
	tx    swapcast.Transaction
}

func newDecoders() *decoders {
	return &decoders{wire: geyser.NewWireDecoder(), plain: geyser.NewDecoder()}
}

// compare reads b in both ways and returns where they part.
func (d *decoders) compare(b []byte) error {
	var u pb.SubscribeUpdate
	plainErr := proto.Unmarshal(b, &u)
	e := &d.event
	err := d.wire.Update(b, e)
	if plainErr != nil || errors.Is(err, geyser.ErrMalformed) {
		if plainErr == nil || !errors.Is(err, geyser.ErrMalformed) {
			return fmt.Errorf("proto.Unmarshal: %v; wire: %v", plainErr, err)
		}
		return nil
	}
	if c := u.GetCreatedAt(); c != nil && err == nil && e.CreatedAt != c.GetSeconds()*int64(time.Second)+int64(c.GetNanos()) ||
		c == nil && e.CreatedAt != 0 {
		return fmt.Errorf("created at %d, want %v", e.CreatedAt, c)
	}
	kind := geyser.KindOther
	switch v := u.GetUpdateOneof().(type) {
	case nil:
		kind = geyser.KindNone
	case *pb.SubscribeUpdate_Ping:
		kind = geyser.KindPing
	case *pb.SubscribeUpdate_Pong:
		kind = geyser.KindPong
	case *pb.SubscribeUpdate_Transaction:
		kind = geyser.KindTx
		if plainErr := d.plain.Transaction(v.Transaction, &d.tx); !errors.Is(err, plainErr) {
			return fmt.Errorf("decoder: %v; wire: %v", plainErr, err)
		}
		switch {
		case err != nil:
			if e.Tx != nil {
				return errors.New("a transaction despite the error")
			}
		case e.Tx == nil:
			return errors.New("no transaction and no error")
		default:
			if diff := difference(e.Tx, &d.tx); diff != "" {
				return errors.New(diff)
			}
		}
		err = nil
	case *pb.SubscribeUpdate_Slot:
		kind = geyser.KindSlot
		want := swapcast.SlotUpdate{
			Slot: v.Slot.GetSlot(), Bank: geyser.Bank(&u), Parent: v.Slot.GetParent(),
			Status: swapcast.SlotStatus(v.Slot.GetStatus()), DeadError: v.Slot.GetDeadError(),
		}
		if e.Slot != want {
			return fmt.Errorf("slot %+v, want %+v", e.Slot, want)
		}
	case *pb.SubscribeUpdate_BlockMeta:
		kind = geyser.KindBlock
		m := v.BlockMeta
		want := swapcast.BlockMeta{
			Slot: m.GetSlot(), Bank: geyser.Bank(&u), ParentSlot: m.GetParentSlot(), Blockhash: m.GetBlockhash(), ParentHash: m.GetParentBlockhash(),
			BlockTime: m.GetBlockTime().GetTimestamp(), BlockHeight: m.GetBlockHeight().GetBlockHeight(),
			Transactions: m.GetExecutedTransactionCount(),
		}
		if e.Block != want {
			return fmt.Errorf("block %+v, want %+v", e.Block, want)
		}
	}
	if e.Kind != kind || err != nil {
		return fmt.Errorf("kind %d (error %v), want %d", e.Kind, err, kind)
	}
	return nil
}

// difference says in which part two views differ, "" in none.
func difference(a, b *swapcast.Transaction) string {
	x, y := *a, *b
	if !slices.EqualFunc(x.Instructions, y.Instructions, func(p, q swapcast.Instruction) bool {
		same := bytes.Equal(p.Accounts, q.Accounts) && bytes.Equal(p.Data, q.Data)
		p.Accounts, q.Accounts, p.Data, q.Data = nil, nil, nil, nil
		return same && fmt.Sprint(p) == fmt.Sprint(q)
	}) {
		return fmt.Sprintf("instructions %+v, want %+v", x.Instructions, y.Instructions)
	}
	for name, same := range map[string]bool{
		"keys":         slices.Equal(x.Keys, y.Keys),
		"preBalances":  slices.Equal(x.PreBalances, y.PreBalances),
		"postBalances": slices.Equal(x.PostBalances, y.PostBalances),
		"preTokens":    slices.Equal(x.PreTokens, y.PreTokens),
		"postTokens":   slices.Equal(x.PostTokens, y.PostTokens),
		"logs":         slices.Equal(x.Logs, y.Logs) && (x.Logs == nil) == (y.Logs == nil),
	} {
		if !same {
			return fmt.Sprintf("%s of %+v, want %+v", name, x, y)
		}
	}
	for _, tx := range []*swapcast.Transaction{&x, &y} {
		tx.Keys, tx.Instructions, tx.PreBalances, tx.PostBalances, tx.PreTokens, tx.PostTokens, tx.Logs = nil, nil, nil, nil, nil, nil, nil
	}
	if p, q := fmt.Sprintf("%+v", x), fmt.Sprintf("%+v", y); p != q {
		return fmt.Sprintf("%s, want %s", p, q)
	}
	return ""
}

// mangle returns the message b with some of its fields twice, gone, in
// another order, cut in two, of another wire type or unpacked, at any depth.
// Bytes that are no message it leaves alone.
func mangle(rng *rand.Rand, b []byte, depth int) []byte {
	var parts [][]byte
	for rest := b; len(rest) > 0; {
		num, typ, n := protowire.ConsumeField(rest)
		if n < 0 {
			return b
		}
		part := rest[:n]
		rest = rest[n:]
		if typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(part)
			body, _ := protowire.ConsumeBytes(part[tag:])
			part = mangleBody(rng, num, body, depth)
		}
		switch rng.IntN(40) {
		case 0:
			continue
		case 1:
			parts = append(parts, part)
		case 2: // another wire type
			part = protowire.AppendFixed32(protowire.AppendTag(nil, num, protowire.Fixed32Type), rng.Uint32())
		case 3:
			part = protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), rng.Uint64()>>rng.IntN(64))
		case 4: // a group, with a field of a message in it
			part = protowire.AppendTag(append(protowire.AppendTag(nil, num, protowire.StartGroupType), part...), num, protowire.EndGroupType)
		case 5:
			part = protowire.AppendBytes(protowire.AppendTag(nil, protowire.Number(1+rng.IntN(20)), protowire.BytesType), part)
		}
		parts = append(parts, part)
	}
	if rng.IntN(6) == 0 {
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	}
	return bytes.Join(parts, nil)
}

// mangleBody is mangle for the body of one field, and its tag.
func mangleBody(rng *rand.Rand, num protowire.Number, body []byte, depth int) []byte {
	if depth > 0 && rng.IntN(3) > 0 {
		body = mangle(rng, body, depth-1)
	}
	tag := protowire.AppendTag(nil, num, protowire.BytesType)
	switch rng.IntN(30) {
	case 0: // two parts, which must merge
		if _, _, n := protowire.ConsumeField(body); n > 0 {
			first := protowire.AppendBytes(slices.Clone(tag), body[:n])
			return protowire.AppendBytes(append(first, tag...), body[n:])
		}
	case 1: // unpacked
		var out []byte
		for rest := body; len(rest) > 0; {
			v, n := protowire.ConsumeVarint(rest)
			if n < 0 {
				return protowire.AppendBytes(tag, body)
			}
			out = protowire.AppendVarint(protowire.AppendTag(out, num, protowire.VarintType), v)
			rest = rest[n:]
		}
		return out
	case 2:
		if len(body) > 0 {
			body = slices.Clone(body)
			body[rng.IntN(len(body))] = byte(rng.Uint32())
		}
	case 3:
		body = body[:rng.IntN(len(body)+1)]
	}
	return protowire.AppendBytes(tag, body)
}

// messages are the bytes of updates of every kind, of the built-in market and,
// where it is there, of the corpus block.
func messages(tb testing.TB, market int) [][]byte {
	tb.Helper()
	us := geyser.SampleUpdates()
	m, err := sim.New(sim.Options{Seed: 1, TPS: 50, Start: time.Unix(1764000000, 0)})
	if err != nil {
		tb.Fatal(err)
	}
	for range market {
		u, err := m.Next(context.Background())
		if err != nil {
			tb.Fatal(err)
		}
		us = append(us, u)
	}
	raw := make([][]byte, 0, len(us))
	for _, u := range us {
		b, err := proto.Marshal(u)
		if err != nil {
			tb.Fatal(err)
		}
		raw = append(raw, b)
	}
	// A config that is no message: there is one nevertheless.
	config := []byte{0x38, 1}
	for _, num := range []protowire.Number{2, 3, 1, 4} {
		config = protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), config)
	}
	raw = append(raw, append(slices.Clone(raw[0]), config...))
	return append(raw, oddities()...)
}

// oddities are messages, sound and not, that no encoder makes.
func oddities() [][]byte {
	in := func(num protowire.Number, body []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
	}
	cut := []byte{0x80} // half a varint
	return [][]byte{
		protowire.AppendVarint(protowire.AppendVarint(nil, 1<<29<<3), 1),            // the first number that is none
		protowire.AppendVarint(protowire.AppendVarint(nil, (1<<29-1)<<3), 1),        // the last one that is
		protowire.AppendVarint(protowire.AppendVarint(nil, 1<<32|3<<3|2), 0),        // 3 in the low bits
		protowire.AppendVarint([]byte{0}, 1),                                        // number 0
		{0x9a, 0x80, 0x00, 0},                                                       // a long form of the tag of slot
		{0x1a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, // slot 1<<64-1
		{0x1a, 0x0b, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2}, // and one more
		{0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},          // longer than any memory
		{0x1b, 0x08, 0x01, 0x1c},                                                    // a group where a message belongs
		{0x1b, 0x08, 0x01, 0x24},                                                    // that ends as another
		{0x1c},                                                                      // or never began
		{0x0e}, {0x0f},                                                              // wire types that do not exist
		in(4, in(1, in(4, in(3, cut)))),                                  // packed lamports
		in(5, in(6, in(4, in(3, cut)))), in(5, in(6, in(4, in(4, cut)))), // and those of a whole block
		in(5, in(6, in(4, in(5, in(2, cut))))), in(5, in(3, in(1, in(1, []byte{0xff})))), // its other depths
	}
}

// TestWireMangled compares the two ways on messages that are mangled with some
// knowledge of their form, which random bytes hardly ever reach.
func TestWireMangled(t *testing.T) {
	d := newDecoders()
	rng := rand.New(rand.NewPCG(1, 2))
	raw := messages(t, 60)
	sound := 0
	for i := range 20_000 {
		b := mangle(rng, raw[i%len(raw)], 6)
		if rng.IntN(8) == 0 { // a second message after it: another kind replaces, the same merges
			b = append(slices.Clone(b), raw[rng.IntN(len(raw))]...)
		}
		if err := d.compare(b); err != nil {
			t.Fatalf("round %d: %v\n%x", i, err, b)
		}
		if d.event.Tx != nil {
			sound++
		}
	}
	if sound < 500 {
		t.Errorf("only %d messages came out as transactions: the mangling is too hard to show anything", sound)
	}
}

// TestWireWhole compares the two ways on messages as they come.
func TestWireWhole(t *testing.T) {
	d := newDecoders()
	for _, b := range messages(t, 2000) {
		if err := d.compare(b); err != nil {
			t.Fatalf("%v\n%x", err, b)
		}
	}
}

// TestWireCorpus does so on a block of mainnet.
func TestWireCorpus(t *testing.T) {
	d := newDecoders()
	for _, u := range block(t) {
		b, err := proto.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.compare(b); err != nil {
			t.Fatalf("%v\n%x", err, b)
		}
	}
}

// FuzzWireAgainstGenerated: of any bytes, both ways say that they are no
// message, or both refuse the transaction for the same reason, or both give
// the same. With a seed other than 0 the bytes are mangled first.
func FuzzWireAgainstGenerated(f *testing.F) {
	for i, b := range messages(f, 40) {
		f.Add(b, uint64(0))
		f.Add(b, uint64(i+1))
	}
	d := newDecoders()
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		if seed != 0 {
			b = mangle(rand.New(rand.NewPCG(seed, 0)), b, 6)
		}
		if err := d.compare(b); err != nil {
			t.Fatal(err)
		}
	})
}

// TestWireAllocates holds the decoder to its promise.
func TestWireAllocates(t *testing.T) {
	raw := messages(t, 500)
	var txs [][]byte
	d := geyser.NewWireDecoder()
	var e geyser.Event
	for _, b := range raw { // warms it too
		if d.Update(b, &e) == nil && e.Kind == geyser.KindTx {
			txs = append(txs, b)
		}
	}
	if len(txs) < 100 {
		t.Fatalf("only %d transactions", len(txs))
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, b := range txs {
			if err := d.Update(b, &e); err != nil {
				t.Fatal(err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d transactions, want 0", n, len(txs))
	}
}
