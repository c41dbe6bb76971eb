package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser"
)

// first is the first n updates of the market with a seed, cut behind a PROCESSED.
type first struct {
	market *sim.Market
	n      int
	ended  bool
}

func (f *first) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	if f.ended {
		return nil, io.EOF
	}
	u, err := f.market.Next(ctx)
	f.n--
	f.ended = f.n <= 0 && u.GetSlot().GetStatus() == pb.SlotStatus_SLOT_PROCESSED && u.GetSlot() != nil
	return u, err
}

func market(t testing.TB, n int, onSwap func(*swapcast.Swap)) *first {
	t.Helper()
	m, err := sim.New(sim.Options{Seed: 5, TPS: 100, OnSwap: onSwap})
	if err != nil {
		t.Fatal(err)
	}
	return &first{market: m, n: n}
}

func parse(t testing.TB, text string) *faults.Script {
	t.Helper()
	s, err := faults.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return s
}

// bent is everything of src under a script.
func bent(t testing.TB, text string, src faults.Source) (us []*pb.SubscribeUpdate, truth []faults.Truth, events []faults.Event) {
	t.Helper()
	var log faults.Log
	c := parse(t, text).Chain(src, faults.ChainOptions{OnTruth: log.Add, OnFault: func(e faults.Event) { events = append(events, e) }})
	for {
		u, err := c.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return us, log.Lines(), events
		}
		if err != nil {
			t.Fatal(err)
		}
		us = append(us, u)
	}
}

const everyChainFault = `
seed: 9
chain:
- fork: {every_slots: 5}
- fork: {every_slots: 7, order: after, end: aside}
- dead: {every_slots: 6}
- banks: {every_slots: 4}
- banks: {every_slots: 9, order: after}
- skip_slots: {rate: 0.2, slots: 2}
- nonce_twice: {every_slots: 3, later: 2}
- v1: {rate: 0.3}
`

// view is what a reader of the stream who follows slots concludes: the
// transactions of slots and banks that did not die and are not left aside.
type place struct{ slot, bank uint64 }

func view(us []*pb.SubscribeUpdate) map[place][]solana.Signature {
	out := make(map[place][]solana.Signature)
	parents := make(map[uint64]uint64)
	processed := make(map[place]bool)
	tip := uint64(0)
	for _, u := range us {
		at := place{faults.SlotOf(u), faults.Bank(u)}
		if tx := u.GetTransaction(); tx != nil {
			out[at] = append(out[at], solana.Signature(tx.GetTransaction().GetSignature()))
		}
		if s := u.GetSlot(); s != nil {
			switch s.GetStatus() {
			case pb.SlotStatus_SLOT_PROCESSED:
				parents[s.GetSlot()], processed[at] = s.GetParent(), true
			case pb.SlotStatus_SLOT_DEAD:
				delete(out, at)
			case pb.SlotStatus_SLOT_CONFIRMED:
				tip = max(tip, s.GetSlot())
			}
		}
	}
	ancestors := map[uint64]bool{}
	for n := tip; n != 0; n = parents[n] {
		ancestors[n] = true
	}
	for at := range out {
		if at.slot <= tip && !ancestors[at.slot] {
			delete(out, at)
		}
	}
	return out
}

// TestChainKeepsTheTruth plays the market under every fault of the chain, and
// compares what a reader who follows slots must conclude with the truth, and the
// truth with what the market says that it made.
func TestChainKeepsTheTruth(t *testing.T) {
	var made []solana.Signature
	us, truth, events := bent(t, everyChainFault, market(t, 8000, func(s *swapcast.Swap) {
		if len(made) == 0 || made[len(made)-1] != s.Signature {
			made = append(made, s.Signature)
		}
	}))
	struck := map[faults.Kind]int{}
	for _, e := range events {
		struck[e.Kind]++
	}
	for _, k := range []faults.Kind{faults.Fork, faults.Dead, faults.Banks, faults.SkipSlots, faults.NonceTwice, faults.V1} {
		if struck[k] < 5 {
			t.Errorf("%s struck %d times", k, struck[k])
		}
	}

	want := make(map[place][]solana.Signature)
	landed := make(map[solana.Signature]faults.Truth)
	orphans, twice := 0, 0
	for _, l := range truth {
		switch l.Kind {
		case faults.TruthTx:
			at := place{l.Slot, l.Bank}
			want[at] = append(want[at], l.Signature)
			if l.Again {
				twice++
				if landed[l.Signature].Slot >= l.Slot {
					t.Errorf("%v landed again in %d, first in %d", l.Signature, l.Slot, landed[l.Signature].Slot)
				}
				continue
			}
			if was, known := landed[l.Signature]; known {
				t.Fatalf("%v landed in %d and %d", l.Signature, was.Slot, l.Slot)
			}
			landed[l.Signature] = l
		case faults.TruthOrphan:
			if !l.Lands {
				orphans++
			}
		}
	}
	if twice < 5 || orphans < 50 {
		t.Errorf("%d landed twice, %d never", twice, orphans)
	}
	for _, sig := range made {
		if _, ok := landed[sig]; !ok {
			t.Fatalf("the market made %v, which landed nowhere", sig)
		}
	}
	for _, l := range truth {
		if _, lands := landed[l.Signature]; l.Kind == faults.TruthOrphan && lands != l.Lands {
			t.Errorf("orphan %v in %d: lands %v, the truth says %v", l.Signature, l.Slot, lands, l.Lands)
		}
	}
	got := view(us)
	// Losers of the last slots may not have ended yet, and the last slot is not
	// confirmed: compare up to the slot before.
	last := uint64(0)
	for at := range want {
		last = max(last, at.slot)
	}
	for _, m := range []map[place][]solana.Signature{got, want} {
		for at := range m {
			if at.slot+4 > last {
				delete(m, at)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d slots survive, the truth has %d", len(got), len(want))
	}
	for at, sigs := range want {
		if !slices.Equal(got[at], sigs) {
			t.Errorf("slot %d bank %d: %d transactions, the truth has %d", at.slot, at.bank, len(got[at]), len(sigs))
		}
	}
}

// TestChainKeepsTheSwaps: what our parser reads of the transactions that land is
// the market's ground truth, v1 messages included, swap by swap.
func TestChainKeepsTheSwaps(t *testing.T) {
	type swap struct {
		pool            solana.PublicKey
		amountIn, paid  uint64
		mintIn, mintOut solana.PublicKey
	}
	want := make(map[solana.Signature][]swap)
	us, truth, events := bent(t, everyChainFault, market(t, 3000, func(s *swapcast.Swap) {
		want[s.Signature] = append(want[s.Signature], swap{s.Pool, s.AmountIn, s.AmountOut, s.MintIn, s.MintOut})
	}))
	type landing struct {
		at  place
		sig solana.Signature
	}
	lands := make(map[landing]bool)
	for _, l := range truth {
		if l.Kind == faults.TruthTx && !l.Again {
			lands[landing{place{l.Slot, l.Bank}, l.Signature}] = true
		}
	}
	v1s, swaps := 0, 0
	for _, u := range us {
		info := u.GetTransaction().GetTransaction()
		if info == nil || !lands[landing{place{faults.SlotOf(u), faults.Bank(u)}, solana.Signature(info.GetSignature())}] {
			continue
		}
		if len(info.GetTransaction().GetMessage().ProtoReflect().GetUnknown()) > 0 {
			v1s++
		}
		var got []swap
		for _, s := range swapsOf(t, u) {
			got = append(got, swap{s.Pool, s.AmountIn, s.AmountOut, s.MintIn, s.MintOut})
		}
		if list := want[solana.Signature(info.GetSignature())]; !slices.Equal(got, list) {
			t.Fatalf("%v: %+v, the market made %+v", u.GetTransaction().GetSlot(), got, list)
		}
		swaps += len(got)
	}
	told := 0
	for _, e := range events {
		if e.Kind == faults.V1 {
			told++
		}
	}
	if v1s != told || v1s < 100 || swaps < 500 {
		t.Errorf("%d transactions are v1, %d were said to be; %d swaps", v1s, told, swaps)
	}
}

// TestChainIsTheSameForAll: two runs give the same bytes.
func TestChainIsTheSameForAll(t *testing.T) {
	a, ta, _ := bent(t, everyChainFault, market(t, 2000, nil))
	b, tb, _ := bent(t, everyChainFault, market(t, 2000, nil))
	if len(a) != len(b) || !slices.Equal(ta, tb) {
		t.Fatalf("%d and %d updates, %d and %d truths", len(a), len(b), len(ta), len(tb))
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			t.Fatalf("update %d differs", i)
		}
	}
}

// TestChainWithoutFaultsIsTheSource compares with the source itself.
func TestChainWithoutFaultsIsTheSource(t *testing.T) {
	a, truth, _ := bent(t, "seed: 1", market(t, 2000, nil))
	src := market(t, 2000, nil)
	txs := 0
	for i := range a {
		u, err := src.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(a[i], u) {
			t.Fatalf("update %d differs", i)
		}
		if u.GetTransaction() != nil {
			txs++
		}
	}
	told := 0
	for _, l := range truth {
		if l.Kind == faults.TruthTx {
			told++
		}
	}
	if told != txs {
		t.Errorf("%d transactions, the truth has %d", txs, told)
	}
}

// TestChainNumbersRise checks, for any timing, that slots have one number each,
// parents come before children, and time does not go back.
func TestChainNumbersRise(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string, kinds ...string) string {
			text := ""
			for _, k := range kinds {
				if every := rapid.IntRange(0, 6).Draw(rt, name+k); every > 0 {
					text += "\n- " + k + "every_slots: " + string(rune('0'+every)) + "}"
				}
			}
			return text
		}
		text := "seed: 4\nchain:\n- v1: {rate: 0}" + draw("", "fork: {", "fork: {order: after, ", "dead: {", "banks: {", "banks: {order: after, end: aside, ", "skip_slots: {slots: 3, ", "nonce_twice: {")
		us, truth, _ := bent(t, text, market(t, 600, nil))
		created := map[place]bool{}
		clock := int64(0)
		for _, u := range us {
			if at := u.GetCreatedAt().AsTime().UnixNano(); at < clock {
				rt.Fatalf("time goes back at %v", u)
			} else {
				clock = at
			}
			s := u.GetSlot()
			if s.GetStatus() != pb.SlotStatus_SLOT_CREATED_BANK || s == nil {
				continue
			}
			at := place{s.GetSlot(), faults.Bank(u)}
			if created[at] {
				rt.Fatalf("slot %d is created twice", s.GetSlot())
			}
			created[at] = true
			if s.GetParent() >= s.GetSlot() {
				rt.Fatalf("slot %d has parent %d", s.GetSlot(), s.GetParent())
			}
		}
		indexes := map[place]map[uint64]bool{}
		for _, l := range truth {
			if l.Kind == faults.TruthSlot {
				continue
			}
			at := place{l.Slot, l.Bank}
			if indexes[at] == nil {
				indexes[at] = map[uint64]bool{}
			}
			if indexes[at][l.Index] {
				rt.Fatalf("two transactions at %d of slot %d", l.Index, l.Slot)
			}
			indexes[at][l.Index] = true
		}
	})
}

// swapsOf parses a transaction as the product does.
func swapsOf(t testing.TB, u *pb.SubscribeUpdate) []swapcast.Swap {
	t.Helper()
	raw, err := proto.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	var e geyser.Event
	if err := geyser.NewWireDecoder().Update(raw, &e); err != nil {
		t.Fatal(err)
	}
	var out parser.Result
	parser.New().Parse(e.Tx, &out)
	return slices.Clone(out.Swaps)
}

// TestLies checks that what an endpoint lies about is read as swaps, other than
// the true ones, and leaves all else alone.
func TestLies(t *testing.T) {
	for _, how := range []string{"altered", "invented", "left_out"} {
		t.Run(how, func(t *testing.T) {
			clean, _, _ := bent(t, "seed: 1", market(t, 3000, nil))
			var lies []faults.Event
			e := parse(t, "seed: 2\nendpoint:\n- lying: {rate: 0.1, how: "+how+"}").Endpoint(0)
			feed := e.Feed(market(t, 3000, nil), faults.FeedOptions{Clock: clock, Now: now, OnFault: func(e faults.Event) { lies = append(lies, e) }})
			other, left, believable := 0, 0, 0
			var got []*pb.SubscribeUpdate
			for {
				u, err := feed.Next(t.Context())
				if errors.Is(err, io.EOF) {
					break
				}
				got = append(got, u)
			}
			i := 0
			for _, u := range clean {
				switch {
				case i < len(got) && proto.Equal(u, got[i]):
				case how == "left_out":
					left++
					continue
				case how == "altered":
					other++
					a, b := swapsOf(t, u), swapsOf(t, got[i])
					if len(a) == len(b) && !slices.Equal(a, b) {
						believable++
					}
				}
				i++
				if how == "invented" && i < len(got) && got[i].GetTransaction() != nil && got[i].GetTransaction().GetTransaction().GetIndex() >= 1<<20 {
					other++
					if len(swapsOf(t, got[i])) == len(swapsOf(t, u)) {
						believable++
					}
					i++
				}
			}
			if i != len(got) || len(lies) < 20 || other+left != len(lies) {
				t.Errorf("%d of %d updates explained, %d altered, %d left out, %d lies told", i, len(got), other, left, len(lies))
			}
			if how != "left_out" && believable*10 < other*8 {
				t.Errorf("%d of %d lies are read as other swaps", believable, other)
			}
		})
	}
}

func TestTruthFitsJSON(t *testing.T) {
	line, err := json.Marshal(faults.Truth{Kind: faults.TruthTx, Slot: 7, Index: 1})
	if err != nil {
		t.Fatal(err)
	}
	var back faults.Truth
	if err := json.Unmarshal(line, &back); err != nil || back.Slot != 7 || back.Kind != faults.TruthTx {
		t.Errorf("%s gives %+v, %v", line, back, err)
	}
}
