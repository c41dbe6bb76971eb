package onchain_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/rpctest"
	"github.com/swapcast/swapcast/wallet"
	"github.com/swapcast/swapcast/wallet/onchain"
)

// chain is the built-in market, recorded, with what it knows of itself.
type chain struct {
	*sim.Market
	recorder *rpctest.Recorder
	txs      []*swapcast.Transaction
	slot     uint64
	held     map[holding]uint64 // as its ground truth leaves it
}

type holding struct {
	owner, mint solana.PublicKey
	native      bool
}

func newChain(t testing.TB, seed uint64) *chain {
	t.Helper()
	c := &chain{recorder: rpctest.NewRecorder(rpctest.RecorderOptions{MaxBlocks: 1 << 20}), held: map[holding]uint64{}}
	for _, m := range sim.Tokens() {
		if err := c.recorder.PutMint(rpctest.Mint{Key: m.Mint, Program: m.Program, Decimals: m.Decimals}); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	c.Market, err = sim.New(sim.Options{Seed: seed, TPS: 400, OnBalance: func(b *swapcast.BalanceChange) {
		c.held[holding{b.Owner, b.Mint, b.Native}] = b.Post
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// play goes on for a number of transactions and to the end of their slot, and gives
// them. Everything is confirmed at once.
func (c *chain) play(t testing.TB, n int) []*swapcast.Transaction {
	t.Helper()
	decoder := geyser.NewDecoder()
	var fresh []*swapcast.Transaction
	for {
		u, err := c.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.recorder.Add(u)
		if s := u.GetSlot(); s != nil && s.GetStatus() == pb.SlotStatus_SLOT_FINALIZED && s.GetSlot() >= c.slot && len(fresh) >= n {
			return fresh
		}
		x := u.GetTransaction()
		if x == nil {
			continue
		}
		tx := &swapcast.Transaction{}
		if err := decoder.Transaction(x, tx); err != nil {
			t.Fatal(err)
		}
		tx.BlockTime = 1_700_000_000
		if len(fresh) < n {
			c.slot = tx.Slot
		}
		c.txs, fresh = append(c.txs, tx), append(fresh, tx)
	}
}

// busiest are the owners who swapped most.
func (c *chain) busiest(n int) []solana.PublicKey {
	swaps := map[solana.PublicKey]int{}
	p := parser.New()
	var r parser.Result
	for _, tx := range c.txs {
		p.Parse(tx, &r)
		for i := range r.Swaps {
			swaps[r.Swaps[i].Trader]++
		}
	}
	var owners []solana.PublicKey
	for o := range swaps {
		owners = append(owners, o)
	}
	slices.SortFunc(owners, func(a, b solana.PublicKey) int {
		return cmp.Or(cmp.Compare(swaps[b], swaps[a]), slices.Compare(a[:], b[:]))
	})
	return owners[:min(n, len(owners))]
}

// follower is what the pipeline keeps of wallets.
type follower struct {
	book      *wallet.Book
	positions *wallet.Positions
	owners    map[solana.PublicKey]bool
	parser    *parser.Parser
}

func follow(owners []solana.PublicKey) *follower {
	f := &follower{wallet.NewBook(wallet.Options{}), wallet.NewPositions(wallet.PositionOptions{MaxHistory: 100_000, MaxEvents: 100_000}), map[solana.PublicKey]bool{}, parser.New()}
	for _, o := range owners {
		f.book.Watch(o)
		f.positions.Watch(o)
		f.owners[o] = true
	}
	return f
}

func (f *follower) apply(txs []*swapcast.Transaction) {
	var r parser.Result
	for _, tx := range txs {
		f.parser.Parse(tx, &r)
		x := &wallet.Tx{
			TxRef: swapcast.TxRef{Slot: tx.Slot, Signature: tx.Signature}, Index: tx.Index, BlockTime: tx.BlockTime, Swaps: r.Swaps,
			Changes: parser.AccountBalances(tx, func(o solana.PublicKey) bool { return f.owners[o] }, nil),
		}
		f.book.Apply(x.TxRef, x.Index, x.Changes, nil)
		f.positions.Apply(x, price, nil)
	}
}

// price makes values that depend on nothing but the mint.
func price(mint solana.PublicKey) (float64, bool) { return 1 + float64(mint[0]), mint[1]%4 != 0 }

// rig runs a Keeper over nodes of a chain, in fake time.
type rig struct {
	t        *testing.T
	node     *rpctest.Server
	registry *prometheus.Registry
	keeper   *onchain.Keeper
	changed  map[solana.PublicKey]int
}

func run(t *testing.T, c *chain, f *follower, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, registry: prometheus.NewPedanticRegistry(), changed: map[solana.PublicKey]int{}}
		var err error
		if r.node, err = rpctest.New(rpctest.Options{Store: c.recorder}); err != nil {
			t.Fatal(err)
		}
		pool, err := rpcpool.New(rpcpool.Options{URLs: []string{"http://node.example.com"}, PerSecond: 1000, Transport: r.node.Transport()})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		turn := make(chan struct{}, 1) // the pipeline's goroutine does one thing at a time
		r.keeper, err = onchain.New(onchain.Options{
			RPC: pool, Book: f.book, Positions: f.positions,
			Load: func(_ context.Context, s *wallet.Snapshot) bool { f.book.Load(s, nil); return true },
			Changed: func(o solana.PublicKey) {
				turn <- struct{}{}
				r.changed[o]++
				<-turn
			},
			Price:   func(mint solana.PublicKey, _ int64) (float64, bool) { return price(mint) },
			Page:    10,
			Metrics: onchain.NewMetrics(r.registry), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.keeper.Run(ctx) }()
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// rest waits for what is being done now, in fake time.
func (r *rig) rest(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *rig) metric(name string, labels ...string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if text := fmt.Sprint(m.GetLabel()); !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(text, `"`+l+`"`) }) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// balances holds a book against the ground truth, to the unit.
func (c *chain) balances(t *testing.T, f *follower) (compared int) {
	t.Helper()
	for owner := range f.owners {
		got := map[holding]uint64{}
		list, _ := f.book.Balances(owner)
		for _, b := range list {
			got[holding{owner, b.Mint, b.Native}] = b.Amount
		}
		for h, want := range c.held {
			if h.owner != owner {
				continue
			}
			compared++
			if got[h] != want {
				t.Errorf("%s holds %d of %s (native %t), want %d", owner, got[h], h.mint, h.native, want)
			}
		}
	}
	return compared
}

// TestWatchedFromTheMiddle: wallets that begin to be watched in the middle of a
// chain's life have the balances of the ground truth, to the unit, and the very
// positions of who watched from the beginning.
func TestWatchedFromTheMiddle(t *testing.T) {
	c := newChain(t, 7)
	before := c.play(t, 700)
	owners := c.busiest(8)
	late, always := follow(owners), follow(owners)
	always.apply(before)
	run(t, c, late, func(r *rig) {
		soon := c.play(t, 150) // the stream is ahead of what the node is asked for
		late.apply(soon)
		always.apply(soon)
		for _, o := range owners {
			late.positions.Missed(o, 0, 0)
			late.positions.Join(o, before[len(before)-1].Slot)
			late.book.Needs(o, before[len(before)-1].Slot)
			r.keeper.Want(o)
		}
		r.rest(time.Minute)
		for _, o := range owners {
			if _, complete := late.book.Complete(o); !complete {
				t.Errorf("%s is not complete", o)
			}
		}
		then := c.play(t, 150)
		late.apply(then)
		always.apply(then)
		if n := c.balances(t, late); n < 60 {
			t.Errorf("only %d balances were compared", n)
		} else {
			t.Logf("%d balances of %d wallets are those of the ground truth", n, len(owners))
		}
		swaps := 0
		for _, o := range owners {
			got, _ := late.positions.Report(o, price)
			want, _ := always.positions.Report(o, price)
			if len(got.Past.Spans) != 0 || got.Past.Truncated || got.Past.Missing != 0 || got.Past.Read == 0 {
				t.Errorf("%s: history %+v", o, got.Past)
			}
			if got.Swaps != want.Swaps || got.Transactions != want.Transactions || len(got.Assets) != len(want.Assets) || got.Fees != want.Fees {
				t.Errorf("%s:\n got %d swaps, %d transactions, %d assets, %+v\nwant %d, %d, %d, %+v", o, got.Swaps, got.Transactions, len(got.Assets), got.Fees, want.Swaps, want.Transactions, len(want.Assets), want.Fees)
				continue
			}
			for i := range got.Assets {
				if !reflect.DeepEqual(got.Assets[i], want.Assets[i]) {
					t.Errorf("%s:\n got %+v\nwant %+v", o, got.Assets[i], want.Assets[i])
				}
			}
			swaps += got.Swaps
		}
		t.Logf("%d swaps of %d wallets make the same positions", swaps, len(owners))
		if swaps == 0 || len(r.changed) == 0 || r.metric("swapcast_wallet_rpc_waiting") != 0 {
			t.Errorf("%d swaps, %d wallets changed, %v still waiting", swaps, len(r.changed), r.metric("swapcast_wallet_rpc_waiting"))
		}
	})
}

// TestJoinedToTheStream: what a node had not confirmed when it listed a wallet's
// history, and no stream brought since, is read once it is certain that the stream
// brings everything; not from a node that lags behind that. So it is in a run that
// goes on from what one stored that ended before it was certain.
func TestJoinedToTheStream(t *testing.T) {
	c := newChain(t, 11)
	before := c.play(t, 400)
	owner := c.busiest(1)[0]
	always, late := follow([]solana.PublicKey{owner}), follow([]solana.PublicKey{owner})
	missed := c.play(t, 150)
	between := c.play(t, 100) // the stream has these of it, from the exchanges' filter
	always.apply(slices.Concat(before, missed, between))
	trades := func(f *follower) *wallet.Report { r, _ := f.positions.Report(owner, price); return r }
	lag := c.recorder.Slot(swapcast.Confirmed) - before[len(before)-1].Slot
	var saved wallet.Saved
	run(t, c, late, func(r *rig) {
		r.node.SetLag(lag)
		late.positions.Missed(owner, 0, 0)
		r.keeper.Want(owner)
		r.rest(time.Minute)
		late.apply(between)
		tip := c.recorder.Slot(swapcast.Confirmed)
		late.positions.Settle(tip)
		past := trades(late).Past
		if len(past.Spans) != 0 || past.Read == 0 || past.Complete() {
			t.Fatalf("before it is certain: %+v", past)
		}
		if got, want := trades(late), trades(always); got.Transactions >= want.Transactions {
			t.Fatalf("nothing of %d transactions was missed", want.Transactions)
		}
		d := late.positions.Unsaved(owner)
		saved.Events, saved.Past = d.Events, *d.Past
		late.positions.Join(owner, tip)
		r.keeper.Want(owner)
		r.rest(time.Minute)
		if trades(late).Past.Complete() || r.metric("swapcast_wallet_rpc_total", "history", "lagging") == 0 {
			t.Errorf("a node that lags: %+v", trades(late).Past)
		}
		r.node.SetLag(0)
		r.rest(10 * time.Minute)
		sameReport(t, trades(late), trades(always))
	})
	second := follow([]solana.PublicKey{owner})
	second.positions.Restore(owner, &saved)
	run(t, c, second, func(r *rig) {
		r.keeper.Want(owner)
		r.rest(time.Minute)
		second.apply(between)
		second.positions.Join(owner, c.recorder.Slot(swapcast.Confirmed))
		r.keeper.Want(owner)
		r.rest(time.Minute)
		sameReport(t, trades(second), trades(always))
	})
}

func sameReport(t *testing.T, got, want *wallet.Report) {
	t.Helper()
	if !got.Past.Complete() || got.Past.Missing != 0 || got.Swaps != want.Swaps || got.Transactions != want.Transactions ||
		got.Oldest.Slot != want.Oldest.Slot || !reflect.DeepEqual(got.Assets, want.Assets) {
		t.Errorf("got %d swaps, %d transactions since %+v, %+v\nwant %d, %d since %+v",
			got.Swaps, got.Transactions, got.Oldest, got.Past, want.Swaps, want.Transactions, want.Oldest)
	}
}

// TestFailingAndLaggingNode: what fails or lags is asked for again, and counted; a
// snapshot from too early is not taken.
func TestFailingAndLaggingNode(t *testing.T) {
	c := newChain(t, 8)
	c.play(t, 300)
	owner := c.busiest(1)[0]
	f := follow([]solana.PublicKey{owner})
	run(t, c, f, func(r *rig) {
		r.node.Script(rpctest.Fault{Method: "getBalance", Status: 500, Times: 20})
		r.node.SetLag(100)
		f.book.Needs(owner, c.slot)
		r.keeper.Want(owner)
		r.rest(10 * time.Second)
		if _, complete := f.book.Complete(owner); complete {
			t.Error("complete with a node that fails")
		}
		r.rest(20 * time.Minute)
		if _, complete := f.book.Complete(owner); complete {
			t.Error("complete with a node that lags")
		}
		r.node.SetLag(0)
		r.rest(10 * time.Minute)
		if _, complete := f.book.Complete(owner); !complete {
			t.Error("not complete after all")
		}
		if r.metric("swapcast_wallet_rpc_total", "failed") == 0 || r.metric("swapcast_wallet_rpc_total", "lagging") == 0 {
			t.Error("failures and lag are not counted")
		}
	})
}

// TestHistoryGoesOn: a history that was broken off goes on where it was, and one
// that is too long is cut and says so.
func TestHistoryGoesOn(t *testing.T) {
	c := newChain(t, 9)
	all := c.play(t, 1_800)
	owner := c.busiest(1)[0]
	always := follow([]solana.PublicKey{owner})
	confirmed := c.recorder.Slot(swapcast.Confirmed)
	always.apply(slices.DeleteFunc(all, func(tx *swapcast.Transaction) bool { return tx.Slot > confirmed }))
	want, _ := always.positions.Report(owner, price)
	first := follow([]solana.PublicKey{owner})
	var saved wallet.Saved
	run(t, c, first, func(r *rig) {
		first.positions.Missed(owner, 0, 0)
		r.node.Script(rpctest.Fault{Method: "getTransaction", Skip: 11, Status: 500, Times: -1})
		r.keeper.Want(owner)
		r.rest(time.Minute)
	})
	got, _ := first.positions.Report(owner, price)
	if got.Past.Read == 0 || len(got.Past.Spans) == 0 || got.Transactions >= want.Transactions {
		t.Fatalf("it did not break off in the middle: %+v", got.Past)
	}
	d := first.positions.Unsaved(owner)
	saved.Events, saved.Past = d.Events, *d.Past
	second := follow([]solana.PublicKey{owner})
	second.positions.Restore(owner, &saved)
	run(t, c, second, func(r *rig) {
		r.keeper.Want(owner)
		r.rest(time.Minute)
		if n := r.node.Requests("getTransaction"); n+saved.Past.Read > want.Transactions+pageSlack {
			t.Errorf("%d transactions asked for, after %d that were stored; there are %d", n, saved.Past.Read, want.Transactions)
		}
	})
	got, _ = second.positions.Report(owner, price)
	if !reflect.DeepEqual(got.Assets, want.Assets) || got.Transactions != want.Transactions || len(got.Past.Spans) != 0 {
		t.Errorf("got %d transactions, %+v; want %d", got.Transactions, got.Past, want.Transactions)
	}

	cut := follow([]solana.PublicKey{owner})
	cut.positions = wallet.NewPositions(wallet.PositionOptions{MaxHistory: 10})
	cut.positions.Watch(owner)
	run(t, c, cut, func(r *rig) {
		cut.positions.Missed(owner, 0, 0)
		r.keeper.Want(owner)
		r.rest(time.Minute)
	})
	got, _ = cut.positions.Report(owner, price)
	if !got.Past.Truncated || len(got.Past.Spans) != 0 || got.Transactions < 10 {
		t.Errorf("a history that is too long: %+v, %d transactions", got.Past, got.Transactions)
	}
}

// pageSlack: accounts' histories name some of the same transactions.
const pageSlack = 60
