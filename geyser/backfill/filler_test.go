package backfill_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/rpctest"
)

// TestFill: what the filter selects, in the order of the block, then the block,
// then its verdict; slots that the chain passed over are skipped.
func TestFill(t *testing.T) {
	run(t, setup{chains: []*rpctest.Recorder{chainOf(9, 10, 11, 14, 20)}, o: backfill.Options{Filter: dexes(), Parallel: 3}}, func(r *rig) {
		r.Missing(10, 20)
		got := r.wait(time.Second)
		r.expect(words(got), []string{
			"tx 10.0", "tx 10.2", "block 10", "filled 10",
			"tx 11.0", "tx 11.2", "block 11", "filled 11",
			"skipped 12", "skipped 13", "tx 14.0", "tx 14.2", "block 14", "filled 14",
			"skipped 15", "skipped 16", "skipped 17", "skipped 18", "skipped 19", "tx 20.0", "tx 20.2", "block 20", "filled 20",
		})
		if e := got[1]; e.Tx.Signature != signature(10, 2) || e.Tx.BlockTime != 1_700_000_010 || e.Tx.Version != swapcast.TxV1 || e.Tx.ReceivedAt != e.ReceivedAt {
			t.Errorf("%+v", e.Tx)
		}
		if b := got[2].Block; b.ParentSlot != 9 || b.Blockhash != "hash10" || b.BlockTime != 1_700_000_010 || b.Transactions != 3 {
			t.Errorf("%+v", b)
		}
		want := backfill.Status{Filled: 4, Skipped: 7}
		if s := r.Status(); s != want {
			t.Errorf("status %+v, want %+v", s, want)
		}
		if n := r.count("swapcast_backfill_transactions_total", ""); n != 8 {
			t.Errorf("%v transactions counted", n)
		}
		if n := r.nodes[0].Requests("getBlock"); n != 4 {
			t.Errorf("%d requests, want 4: the parent links came with the blocks", n)
		}
	})
}

// TestSkippedAlone: where the next block is not wanted, its parent alone is asked
// for; at the chain's end it is awaited.
func TestSkippedAlone(t *testing.T) {
	chain := chainOf(9, 10, 11, 14)
	run(t, setup{chains: []*rpctest.Recorder{chain}, o: backfill.Options{Filter: dexes()}}, func(r *rig) {
		r.Missing(12, 13)
		r.expect(words(r.wait(time.Second)), []string{"skipped 12", "skipped 13"})
		r.Missing(15, 17)
		r.expect(words(r.wait(10*time.Second)), nil)
		grow(chain, 14, 16, 300)
		r.expect(verdicts(r.wait(10*time.Second)), []string{"filled 16", "skipped 15", "skipped 17"})
	})
}

// TestHole: a node that was restarted says "skipped" of blocks that it lacks.
// The chain does not pass over them: another node has them, and without one they
// are lost, never skipped.
func TestHole(t *testing.T) {
	hole := chainOf(10, 11, 15, 17)
	for _, update := range []*pb.SubscribeUpdate{metaUpdate(15, 14), metaUpdate(17, 15)} {
		hole.Add(update)
	}
	o := backfill.Options{Filter: dexes(), GiveUpAfter: time.Minute}
	run(t, setup{chains: []*rpctest.Recorder{hole}, o: o}, func(r *rig) {
		r.Missing(12, 16)
		r.expect(verdicts(r.wait(5*time.Minute)), []string{"filled 15", "lost 12-12 unproven", "lost 13-13 unproven", "lost 14-14 unproven", "skipped 16"})
		if r.count("swapcast_backfill_lost_slots_total", "unproven") != 3 || r.Status().Lost != 3 || r.Status().LastLoss != "unproven" {
			t.Errorf("not counted: %+v", r.Status())
		}
	})
	run(t, setup{chains: []*rpctest.Recorder{hole, chainOf(10, 11, 12, 14, 15, 17)}, o: o}, func(r *rig) {
		r.Missing(12, 16)
		got := verdicts(r.wait(2 * time.Minute))
		r.expect(got, []string{"filled 12", "filled 14", "filled 15", "skipped 13", "skipped 16"})
	})
}

// TestFaults: whatever goes wrong once, the slot is filled in the end.
func TestFaults(t *testing.T) {
	for name, fault := range map[string]rpctest.Fault{
		"429":               {Status: 429},
		"429 with a time":   {Status: 429, RetryAfter: "3"},
		"500":               {Status: 500},
		"stall":             {Stall: -1},
		"slow":              {Stall: 20 * time.Second},
		"broken":            {Abort: true},
		"cut JSON":          {ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":{"blockhash":"x","transactions":[{"tr`},
		"a page":            {ContentType: "text/html", Body: "<html>"},
		"another thing":     {ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":{"value":3},"id":1}`},
		"no transactions":   {ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":{"blockhash":"x","parentSlot":10},"id":1}`},
		"impossible parent": {ContentType: "application/json", Body: `{"jsonrpc":"2.0","result":{"blockhash":"x","parentSlot":11,"transactions":[]},"id":1}`},
		"null":              {Null: true},
		"not yet":           {Code: -32004},
		"unhealthy":         {Code: -32005},
		"lagging":           {Code: -32016},
		"skipped":           {Code: -32007},
		"skipped, archive":  {Code: -32009},
		"internal":          {Code: -32603},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"getBlock", "getBlocks"} {
				for _, times := range []int{1, 6} {
					run(t, setup{chains: []*rpctest.Recorder{chainOf(10, 11)}, o: backfill.Options{Filter: dexes(), GiveUpAfter: 10 * time.Minute}}, func(r *rig) {
						fault.Method, fault.Times = method, times
						r.nodes[0].Script(fault)
						r.Missing(11, 11)
						r.expect(words(r.wait(8*time.Minute)), []string{"tx 11.0", "tx 11.2", "block 11", "filled 11"})
						if n := r.nodes[0].Requests(method); n < times+1 || n > times+60 {
							t.Errorf("%d requests of %s", n, method)
						}
					})
				}
			}
		})
	}
}

// TestLosses: what is certain is told at once, the rest after GiveUpAfter, each
// with its reason, and the other slots do not mind.
func TestLosses(t *testing.T) {
	for name, c := range map[string]struct {
		fault  rpctest.Fault
		reason string
		atOnce bool
	}{
		"cleaned up":  {rpctest.Fault{Code: -32001}, "cleaned_up", true},
		"no history":  {rpctest.Fault{Code: -32011}, "cleaned_up", true},
		"new version": {rpctest.Fault{Code: -32015}, "unsupported_version", true},
		"too long":    {rpctest.Fault{ContentType: "application/json", Body: `{"result":"` + strings.Repeat("x", 70<<10) + `"}`}, "too_long", false},
		"not yet":     {rpctest.Fault{Code: -32004}, "not_yet", false},
		"null":        {rpctest.Fault{Null: true}, "not_yet", false},
		"skipped":     {rpctest.Fault{Code: -32007}, "unproven", false},
		"server":      {rpctest.Fault{Status: 500}, "rpc_server_error", false},
		"refused":     {rpctest.Fault{Status: 403}, "rpc_refused", false},
		"no method":   {rpctest.Fault{Code: -32601}, "rpc_rpc_error", false},
		"malformed":   {rpctest.Fault{ContentType: "text/html", Body: "<html>"}, "rpc_malformed", false},
		"undecodable": {rpctest.Fault{ContentType: "application/json", Body: `{"result":{"blockhash":"x","parentSlot":10,"transactions":[{"transaction":["AAAA","base64"],"meta":{}}]}}`}, "undecodable", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := setup{chains: []*rpctest.Recorder{chainOf(10, 11, 12)}, o: backfill.Options{Filter: dexes(), GiveUpAfter: 5 * time.Minute}}
			s.pool.MaxBody = 64 << 10
			run(t, s, func(r *rig) {
				c.fault.Method, c.fault.Slot, c.fault.Times = "getBlock", 11, -1
				r.nodes[0].Script(c.fault)
				r.Missing(11, 12)
				soon := verdicts(r.wait(4 * time.Minute))
				if c.atOnce != slices.Contains(soon, "lost 11-11 "+c.reason) && c.reason != "too_long" {
					t.Errorf("after 4 minutes: %q", soon)
				}
				all := append(soon, verdicts(r.wait(4*time.Minute))...)
				slices.Sort(all)
				r.expect(all, []string{"filled 12", "lost 11-11 " + c.reason})
			})
		})
	}
}

// TestElsewhere: what one node has cleaned up, another keeps.
func TestElsewhere(t *testing.T) {
	young := chainOf(11, 12, 13)
	run(t, setup{chains: []*rpctest.Recorder{young, chainOf(9, 10, 11, 12, 13)}, o: backfill.Options{Filter: dexes()}}, func(r *rig) {
		r.Missing(10, 13)
		r.expect(verdicts(r.wait(time.Minute)), []string{"filled 10", "filled 11", "filled 12", "filled 13"})
	})
	run(t, setup{chains: []*rpctest.Recorder{young}, o: backfill.Options{Filter: dexes()}}, func(r *rig) {
		r.Missing(10, 13)
		r.expect(verdicts(r.wait(time.Minute)), []string{"filled 12", "filled 13", "lost 10-10 cleaned_up", "lost 11-11 cleaned_up"})
	})
}

// TestOverflow: what does not fit is lost and told so, the oldest of it.
func TestOverflow(t *testing.T) {
	run(t, setup{chains: []*rpctest.Recorder{chainOf(99, 100, 101, 102)}, o: backfill.Options{Filter: dexes(), Queue: 3}}, func(r *rig) {
		r.Missing(1, 102)
		r.expect(verdicts(r.wait(time.Minute)), []string{"filled 100", "filled 101", "filled 102", "lost 1-99 overflow"})
		r.Missing(5, 4) // no range
		r.Missing(102, 102)
		r.expect(verdicts(r.wait(time.Minute)), []string{"filled 102"})
	})
}

// TestDisputed answers for single transactions: with the block's own copy, or
// that there is none, or not at all.
func TestDisputed(t *testing.T) {
	chain := chainOf(9, 10, 11, 14)
	run(t, setup{chains: []*rpctest.Recorder{chain}, o: backfill.Options{Filter: dexes()}}, func(r *rig) {
		ref := func(slot uint64, i int) swapcast.TxRef {
			return swapcast.TxRef{Slot: slot, Signature: signature(slot, i)}
		}
		r.Disputed(ref(11, 2))
		r.Disputed(ref(11, 2))
		r.Disputed(ref(11, 1)) // one that the filter does not want
		r.Disputed(ref(11, 9))
		r.expect(words(r.wait(time.Second)), []string{"tx 11.1", "tx 11.2", "block 11", "absent 11 9"})
		r.Disputed(ref(13, 5))
		r.expect(words(r.wait(time.Minute)), []string{"absent 13 5", "skipped 13"})
		r.Disputed(ref(9, 5))
		r.expect(words(r.wait(time.Minute)), nil)
		r.Disputed(ref(15, 0))
		r.expect(words(r.wait(time.Second)), nil)
		grow(chain, 14, 15)
		r.expect(words(r.wait(time.Second)), []string{"tx 15.0", "block 15"})
		// Disputed and missing: the whole slot, and a word on each.
		r.Missing(14, 14)
		r.Disputed(ref(14, 0))
		r.Disputed(ref(14, 7))
		// (In one go or in two, by when Run looks.)
		told := words(r.wait(time.Second))
		for _, once := range []string{"tx 14.2", "absent 14 7", "filled 14"} {
			if n := count(told, once); n != 1 {
				t.Errorf("%q %d times in %q", once, n, told)
			}
		}
		if count(told, "tx 14.0") == 0 || count(told, "tx 14.0")+3+count(told, "block 14") != len(told) {
			t.Errorf("told %q", told)
		}
		// While the block is on its way.
		r.nodes[0].Script(rpctest.Fault{Method: "getBlock", Stall: time.Second, Times: -1})
		r.Missing(10, 10)
		r.wait(500 * time.Millisecond)
		r.Disputed(ref(10, 6))
		r.expect(words(r.wait(time.Minute)), []string{"tx 10.0", "tx 10.2", "block 10", "filled 10", "block 10", "absent 10 6"})
		r.Disputed(ref(10, 0))
		r.wait(500 * time.Millisecond)
		r.Missing(10, 10)
		r.expect(words(r.wait(time.Minute)), []string{"tx 10.0", "block 10", "tx 10.0", "tx 10.2", "block 10", "filled 10"})
		for outcome, want := range map[string]float64{"found": 5, "absent": 4, "unresolved": 1} {
			if got := r.count("swapcast_backfill_disputes_total", outcome); got != want {
				t.Errorf("%s: %v, want %v", outcome, got, want)
			}
		}
		if s := r.Status(); s.Waiting != 0 {
			t.Errorf("still waiting: %+v", s)
		}
	})
}

// TestSlowConsumer: nobody reads, and wishing never blocks; nothing is lost.
func TestSlowConsumer(t *testing.T) {
	var slots []uint64
	for slot := uint64(10); slot < 60; slot++ {
		slots = append(slots, slot)
	}
	run(t, setup{chains: []*rpctest.Recorder{chainOf(9, slots...)}, o: backfill.Options{Filter: dexes()}, buffer: 1}, func(r *rig) {
		for i := uint64(10); i < 60; i += 2 {
			r.Missing(i, i)
			r.Disputed(swapcast.TxRef{Slot: i})
		}
		r.Missing(10, 59)
		time.Sleep(time.Minute)
		if n := r.nodes[0].Requests("getBlock"); n > 20 {
			t.Errorf("%d blocks were fetched with nobody to take them", n)
		}
		filled := 0
		for filled < 50 {
			if e := <-r.out; e.Kind == geyser.KindFilled {
				filled++
			}
		}
	})
}

// TestDisputesBounded: too many are dropped, and counted.
func TestDisputesBounded(t *testing.T) {
	run(t, setup{chains: []*rpctest.Recorder{chainOf(9, 10)}, o: backfill.Options{Filter: dexes()}, buffer: 1}, func(r *rig) {
		for range 3 { // Out takes one event, and Run waits with the next
			r.Missing(10, 10)
			time.Sleep(time.Second)
		}
		for i := range 5000 {
			r.Disputed(swapcast.TxRef{Slot: 10, Signature: solana.Signature{0: byte(i), 1: byte(i >> 8), 2: 1}})
		}
		if got := r.count("swapcast_backfill_disputes_total", "dropped"); got != 5000-4096 {
			t.Errorf("%v dropped", got)
		}
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() { // lets Run go on
			defer close(stopped)
			for {
				select {
				case <-r.out:
				case <-stop:
					return
				}
			}
		}()
		time.Sleep(time.Minute)
		close(stop)
		<-stopped
		if s := r.Status(); s.Waiting != 0 || r.count("swapcast_backfill_disputes_total", "absent") != 4096 {
			t.Errorf("not all were answered: %+v", s)
		}
	})
}

// TestProgress: a long fill is told of, and its end.
func TestProgress(t *testing.T) {
	var slots []uint64
	for slot := uint64(10); slot < 210; slot++ {
		slots = append(slots, slot)
	}
	s := setup{chains: []*rpctest.Recorder{chainOf(9, slots...)}, o: backfill.Options{Filter: dexes(), ProgressEvery: 10 * time.Second}}
	s.pool.PerSecond, s.pool.Burst = 4, 1
	run(t, s, func(r *rig) {
		r.Missing(10, 209)
		if got := len(verdicts(r.wait(2 * time.Minute))); got != 200 {
			t.Errorf("%d answers", got)
		}
		for _, want := range []string{`msg="filling missing slots over RPC" slots=`, "slots_per_second=4 ready_in=", `msg="backfill is done" slots=200 lost=0`} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("the log lacks %q: %s", want, r.log)
			}
		}
	})
}

// TestRandom makes chains with skipped slots and nodes that fail, lag, forget
// and lie about what was skipped. As long as one node has a block, its slot is
// filled, with all of it, once; every other slot is skipped; nothing is lost.
func TestRandom(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test repeats
			first, last := uint64(100), uint64(160+rng.IntN(200))
			var slots []uint64
			for slot := first; slot <= last+40; slot++ {
				if rng.IntN(4) > 0 || slot == first || slot == last+40 {
					slots = append(slots, slot)
				}
			}
			holey := rpctest.NewRecorder(rpctest.RecorderOptions{})
			parent := first - 1
			for _, slot := range slots {
				if rng.IntN(10) > 0 {
					grow(holey, parent, slot)
				}
				parent = slot
			}
			s := setup{chains: []*rpctest.Recorder{holey, chainOf(first-1, slots...)}, o: backfill.Options{Filter: dexes(), GiveUpAfter: time.Hour, Parallel: 1 + rng.IntN(6)}}
			if rng.IntN(2) > 0 {
				slices.Reverse(s.chains)
			}
			run(t, s, func(r *rig) {
				faults := []rpctest.Fault{{Status: 429}, {Status: 500}, {Stall: -1}, {Abort: true}, {Null: true}, {Code: -32004}, {Code: -32005}, {Code: -32603}, {ContentType: "text/html"}, {Code: -32007}}
				for _, node := range r.nodes {
					for range rng.IntN(60) {
						f := faults[rng.IntN(len(faults))]
						f.Skip = rng.IntN(10)
						if f.Null || f.Code == -32007 {
							f.Method = "getBlock"
						}
						node.Script(f)
					}
				}
				r.nodes[rng.IntN(2)].SetLag(uint64(rng.IntN(30)))
				for from := first; from <= last; {
					to := min(last, from+uint64(rng.IntN(60)))
					r.Missing(from, to)
					from = to + 1
				}
				r.Missing(first+10, first+30)
				got := r.wait(50 * time.Minute)
				var want []string
				for slot := first; slot <= last; slot++ {
					if slices.Contains(slots, slot) {
						want = append(want, fmt.Sprintf("filled %d", slot))
					} else {
						want = append(want, fmt.Sprintf("skipped %d", slot))
					}
				}
				slices.Sort(want)
				r.expect(verdicts(got), want)
				txs := make(map[string]int)
				open := uint64(0)
				for _, e := range got {
					switch e.Kind {
					case geyser.KindTx:
						txs[fmt.Sprintf("%d.%d", e.Tx.Slot, e.Tx.Index)]++
						if open != 0 && open != e.Tx.Slot {
							t.Errorf("slot %d within slot %d", e.Tx.Slot, open)
						}
						open = e.Tx.Slot
					case geyser.KindFilled:
						open = 0
					}
				}
				for _, slot := range slots {
					for _, i := range []int{0, 2} {
						if n := txs[fmt.Sprintf("%d.%d", slot, i)]; slot <= last && n != 1 {
							t.Errorf("transaction %d.%d came %d times", slot, i, n)
						}
					}
				}
			})
		})
	}
}

func TestNew(t *testing.T) {
	if _, err := backfill.New(backfill.Options{}); err == nil {
		t.Error("no endpoints and no error")
	}
}

// count is how often a word stands in a list.
func count(list []string, word string) int {
	n := 0
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}
