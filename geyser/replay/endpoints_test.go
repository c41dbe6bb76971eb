package replay_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
)

// slotsOf is the market's first n slots.
type slotsOf struct {
	market *sim.Market
	n      int
}

// lastSlot is that of a block meta behind all slots.
const lastSlot = 900_000_000

func (s *slotsOf) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	switch s.n {
	case 0:
		s.n--
		return blockMeta(lastSlot, 0), nil
	case -1:
		return nil, io.EOF
	}
	u, err := s.market.Next(ctx)
	if u.GetSlot() != nil && u.GetSlot().GetStatus() == pb.SlotStatus_SLOT_PROCESSED {
		s.n--
	}
	return u, err
}

func marketSlots(t testing.TB, n, tps int) *slotsOf {
	t.Helper()
	m, err := sim.New(sim.Options{Seed: 11, TPS: tps})
	if err != nil {
		t.Fatal(err)
	}
	return &slotsOf{market: m, n: n}
}

// endpointsOf serves one chain at n endpoints, under a script.
func endpointsOf(t *testing.T, text string, src replay.Source, n int) (clients []pb.GeyserClient, servers []*replay.Local, truth *faults.Log) {
	t.Helper()
	s := script(t, text)
	truth = &faults.Log{}
	sources := replay.Tee(s.Chain(src, faults.ChainOptions{OnTruth: truth.Add}), n)
	for i, source := range sources {
		l, c := serve(t, replay.Options{Source: source, Faults: s.Endpoint(i), WaitForClient: true})
		clients, servers = append(clients, c), append(servers, l)
	}
	return clients, servers, truth
}

// key of what an endpoint said: everything of an update but bank ids and times.
type said struct {
	what      string
	signature solana.Signature
}

func saidOf(u *pb.SubscribeUpdate) (s said) {
	s.what = word(u)
	copy(s.signature[:], u.GetTransaction().GetTransaction().GetSignature())
	return s
}

// readAll reads an endpoint to its end, coming back with from_slot whenever it is
// cut, as a client that wants everything must: without it twice.
func readAll(t *testing.T, c pb.GeyserClient, r *pb.SubscribeRequest, margin uint64) []*pb.SubscribeUpdate {
	t.Helper()
	var out []*pb.SubscribeUpdate
	seen := make(map[said]bool)
	top := uint64(0)
	for range 1000 {
		if top > 0 {
			info, err := c.SubscribeReplayInfo(t.Context(), &pb.SubscribeReplayInfoRequest{})
			if err != nil {
				continue
			}
			r.FromSlot = ptr(max(top-margin, info.GetFirstAvailable()))
		}
		stream := open(t, c, r)
		for {
			u, err := stream.Recv()
			if err != nil {
				break
			}
			if slotOf(u) >= lastSlot {
				return out
			}
			if u.GetSlot().GetStatus() == pb.SlotStatus_SLOT_FINALIZED {
				continue // of slots too old for a replay
			}
			if key := saidOf(u); !seen[key] {
				seen[key] = true
				out = append(out, u)
			}
			top = max(top, slotOf(u))
		}
	}
	t.Fatal("a thousand cuts and no end")
	return nil
}

// TestTwoEndpointsOfOneChain: under faults of the chain and of each endpoint, both
// tell the same chain, and it is the one that the truth tells.
func TestTwoEndpointsOfOneChain(t *testing.T) {
	clients, servers, truth := endpointsOf(t, `
seed: 5
chain:
- fork: {every_slots: 7}
- banks: {every_slots: 9}
- dead: {every_slots: 8}
- skip_slots: {rate: 0.1, slots: 2}
- nonce_twice: {every_slots: 5}
endpoint:
- duplicate: {rate: 0.05}
- reorder: {rate: 0.3}
- block_meta_early: {rate: 0.3}
endpoints:
  0:
  - cut: {every_slots: 40, times: 3, with: TCP}
  - half_open: {after_slots: 60, times: 1, for: 50ms}
  1:
  - late: {by: 30ms}
  - cut: {after_slots: 30, times: 1}
  - withhold_slots: {after_slots: 20, times: 1}
`, marketSlots(t, 120, 60), 2)
	var got [2][]*pb.SubscribeUpdate
	var wg sync.WaitGroup
	for i, c := range clients {
		r := everything()
		r.FromSlot = nil
		wg.Go(func() { got[i] = readAll(t, c, r, 30) })
	}
	wg.Wait()
	want := make(map[said]bool)
	banks := make(map[uint64]int)
	for i, us := range got {
		set := make(map[said]bool)
		for _, u := range us {
			set[saidOf(u)] = true
			if b := faults.Bank(u); b != 0 {
				banks[b] |= 1 << i
			}
		}
		if i == 0 {
			want = set
			continue
		}
		// The endpoint that withholds a slot lacks it, unless its cut's replay had it.
		missing := 0
		for s := range want {
			if !set[s] {
				missing++
			}
		}
		for s := range set {
			if !want[s] {
				t.Errorf("endpoint 1 alone has %s", s.what)
			}
		}
		if missing > 0 {
			t.Errorf("endpoint 1 lacks %d updates", missing)
		}
	}
	for b, by := range banks {
		if by == 3 {
			t.Fatalf("both endpoints name a bank %d", b)
		}
	}
	landed := 0
	have := make(map[place]bool)
	for s := range want {
		if s.signature != (solana.Signature{}) {
			have[place(s)] = true
		}
	}
	for _, l := range truth.Lines() {
		if l.Kind == faults.TruthSlot {
			continue
		}
		landed++
		if !have[place{word(txn(l.Slot, l.Index)) + " t", l.Signature}] {
			t.Fatalf("slot %d lacks its transaction %d", l.Slot, l.Index)
		}
	}
	if landed < 2000 {
		t.Errorf("only %d transactions", landed)
	}
	for i, s := range servers {
		t.Logf("endpoint %d: %v", i, s.Stats().Faults)
		for _, k := range []faults.Kind{faults.Cut, faults.Duplicate, faults.Reorder, faults.BlockMetaEarly} {
			if s.Stats().Faults[k] == 0 {
				t.Errorf("endpoint %d had no %s", i, k)
			}
		}
	}
}

type place struct {
	what      string
	signature solana.Signature
}

// withBank gives updates a bank id.
func withBank(bank uint64, us ...*pb.SubscribeUpdate) []*pb.SubscribeUpdate {
	for _, u := range us {
		faults.SetBank(u, bank)
	}
	return us
}

// TestTwoBanksInASlot: at CONFIRMED, and in blocks, a slot is its confirmed bank.
func TestTwoBanksInASlot(t *testing.T) {
	loser := []*pb.SubscribeUpdate{slot(100, pb.SlotStatus_SLOT_CREATED_BANK), txn(100, 0, key(1)), txn(100, 1, key(1)), blockMeta(100, 2), slot(100, pb.SlotStatus_SLOT_PROCESSED)}
	winner := []*pb.SubscribeUpdate{slot(100, pb.SlotStatus_SLOT_CREATED_BANK), txn(100, 7, key(1)), blockMeta(100, 1), slot(100, pb.SlotStatus_SLOT_PROCESSED)}
	src := append(withBank(1, loser...), withBank(2, winner...)...)
	src = append(src, withBank(1, slot(100, pb.SlotStatus_SLOT_DEAD))...)
	src = append(src, withBank(2, slot(100, pb.SlotStatus_SLOT_CONFIRMED))...)
	r := atLevel(pb.CommitmentLevel_CONFIRMED)
	r.Slots = nil
	r.Blocks = map[string]*pb.SubscribeRequestFilterBlocks{"b": {}}
	same(t, play(t, src, r), "tx 100/7 t", "meta 100 m", "block 100 1t 0a 0e b")
	r = atLevel(pb.CommitmentLevel_PROCESSED)
	r.Blocks = map[string]*pb.SubscribeRequestFilterBlocks{"b": {}}
	same(t, play(t, src, r), "tx 100/0 t", "tx 100/1 t", "meta 100 m", "block 100 2t 0a 0e b", "slot 100 processed s",
		"tx 100/7 t", "meta 100 m", "block 100 1t 0a 0e b", "slot 100 processed s", "slot 100 confirmed s")
}

func TestTee(t *testing.T) {
	us := chain(100, 130, 50)
	readers := replay.Tee(&list{updates: us, err: errBad}, 3)
	var wg sync.WaitGroup
	for i, r := range readers[:2] {
		wg.Go(func() {
			var got []*pb.SubscribeUpdate
			for {
				u, err := r.Next(t.Context())
				if err != nil {
					if !errors.Is(err, errBad) {
						t.Errorf("reader %d: %v", i, err)
					}
					break
				}
				got = append(got, u)
			}
			if !slices.Equal(got, us) {
				t.Errorf("reader %d has %d of %d updates", i, len(got), len(us))
			}
		})
	}
	wg.Wait()
	// One whose context ends gives the source up for itself alone.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readers[2].Next(ctx); err != nil {
		t.Errorf("what is there already is given all the same: %v", err)
	}
}

var errBad = errors.New("the source is bad")

// TestTeeWaitsForTheSlowest: memory is bounded, and a reader that goes away is
// not waited for.
func TestTeeWaitsForTheSlowest(t *testing.T) {
	readers := replay.Tee(marketSlots(t, 1_000_000, 500), 2)
	fast := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		n := 0
		for ; ; n++ {
			if _, err := readers[0].Next(ctx); err != nil {
				fast <- n
				return
			}
			if n == 20_000 {
				cancel()
			}
		}
	}()
	select {
	case n := <-fast:
		t.Fatalf("the fast reader went %d updates ahead", n)
	case <-time.After(300 * time.Millisecond):
	}
	if err := readers[1].(io.Closer).Close(); err != nil {
		t.Fatal(err)
	}
	if n := <-fast; n < 20_000 {
		t.Errorf("the fast reader ended after %d", n)
	}
}
