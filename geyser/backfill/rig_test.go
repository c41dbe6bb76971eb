package backfill_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/rpctest"
)

// rig is a Filler that runs, with the nodes that it asks.
type rig struct {
	*backfill.Filler
	t        testing.TB
	nodes    []*rpctest.Server
	out      chan *geyser.Event
	registry *prometheus.Registry
	log      *bytes.Buffer
}

// setup says what a rig is made of.
type setup struct {
	chains []*rpctest.Recorder // one node for each
	node   rpctest.Options
	o      backfill.Options
	pool   rpcpool.Options
	buffer int // of Out, default large
}

// hosts leads the requests to each host to its own node.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

// run makes a rig and calls test with it, in fake time.
func run(t *testing.T, s setup, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, registry: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}
		transport := hosts{}
		for i, chain := range s.chains {
			s.node.Store = chain
			node, err := rpctest.New(s.node)
			if err != nil {
				t.Fatal(err)
			}
			host := fmt.Sprintf("node%d.example.com", i)
			r.nodes, transport[host] = append(r.nodes, node), node.Transport()
			s.pool.URLs = append(s.pool.URLs, "https://"+host+"/?key=topsecret")
		}
		s.pool.Transport = transport
		if s.pool.PerSecond == 0 {
			s.pool.PerSecond = 100
		}
		s.pool.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s.o.Logger = s.pool.Logger
		pool, err := rpcpool.New(s.pool)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if s.buffer == 0 {
			s.buffer = 100_000
		}
		r.out = make(chan *geyser.Event, s.buffer)
		s.o.RPC, s.o.Out, s.o.Metrics = pool, r.out, backfill.NewMetrics(r.registry)
		if r.Filler, err = backfill.New(s.o); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if strings.Contains(r.log.String(), "topsecret") {
			t.Errorf("a key is logged: %s", r.log)
		}
	})
}

// wait gives all events of the next while of fake time.
func (r *rig) wait(d time.Duration) []*geyser.Event {
	time.Sleep(d)
	synctest.Wait()
	var all []*geyser.Event
	for {
		select {
		case e := <-r.out:
			if e.Endpoint != backfill.Endpoint || e.Stream != 0 || e.ReceivedAt == 0 {
				r.t.Errorf("event %+v", e)
			}
			all = append(all, e)
		default:
			return all
		}
	}
}

// words tells events in short, transactions by slot and index.
func words(events []*geyser.Event) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		switch e.Kind {
		case geyser.KindTx:
			out = append(out, fmt.Sprintf("tx %d.%d", e.Tx.Slot, e.Tx.Index))
		case geyser.KindBlock:
			out = append(out, fmt.Sprintf("block %d", e.Block.Slot))
		case geyser.KindFilled:
			out = append(out, fmt.Sprintf("filled %d", e.Slot.Slot))
		case geyser.KindSkipped:
			out = append(out, fmt.Sprintf("skipped %d", e.Slot.Slot))
		case geyser.KindLost:
			out = append(out, fmt.Sprintf("lost %d-%d %s", e.From, e.To, e.Reason))
		case geyser.KindAbsent:
			out = append(out, fmt.Sprintf("absent %d %d", e.Ref.Slot, e.Ref.Signature[1]))
		default:
			out = append(out, fmt.Sprintf("kind %d", e.Kind))
		}
	}
	return out
}

// verdicts is words without transactions and blocks, sorted.
func verdicts(events []*geyser.Event) []string {
	out := slices.DeleteFunc(words(events), func(w string) bool { return strings.HasPrefix(w, "tx ") || strings.HasPrefix(w, "block ") })
	slices.Sort(out)
	return out
}

func (r *rig) expect(got, want []string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		log := r.log.String()
		r.t.Errorf("got  %q\nwant %q\n%s", got, want, log[max(0, len(log)-3000):])
	}
}

func (r *rig) count(name, label string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// signature names the ith transaction of a made-up slot.
func signature(slot uint64, i int) solana.Signature {
	return solana.Signature{0: byte(slot), 1: byte(i), 2: byte(slot >> 8), 63: 1}
}

// program is what every made-up transaction but the odd ones calls.
func program() solana.PublicKey { return solana.PublicKey{0: 7, 31: 7} }

// transaction is a made-up one that names the given keys.
func transaction(slot uint64, i int, version int, keys ...solana.PublicKey) *pb.SubscribeUpdateTransactionInfo {
	sig := signature(slot, i)
	m := &pb.Message{Header: &pb.MessageHeader{NumRequiredSignatures: 1}, RecentBlockhash: make([]byte, 32), Versioned: version >= 0}
	meta := &pb.TransactionStatusMeta{ReturnDataNone: true, LogMessagesNone: true}
	for _, k := range append([]solana.PublicKey{{0: 99, 1: byte(i)}}, keys...) {
		m.AccountKeys = append(m.AccountKeys, k[:])
		meta.PreBalances, meta.PostBalances = append(meta.PreBalances, 5), append(meta.PostBalances, 5)
	}
	if version == 1 {
		geyser.MarkV1(m, &solana.TransactionConfig{})
	}
	return &pb.SubscribeUpdateTransactionInfo{
		Signature: sig[:], Index: uint64(i), Meta: meta, Transaction: &pb.Transaction{Signatures: [][]byte{sig[:]}, Message: m},
	}
}

func txUpdate(slot uint64, info *pb.SubscribeUpdateTransactionInfo) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Transaction{Transaction: &pb.SubscribeUpdateTransaction{Slot: slot, Transaction: info}}}
}

func metaUpdate(slot, parent uint64) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_BlockMeta{BlockMeta: &pb.SubscribeUpdateBlockMeta{
		Slot: slot, ParentSlot: parent, Blockhash: fmt.Sprint("hash", slot), ParentBlockhash: fmt.Sprint("hash", parent),
		BlockTime: &pb.UnixTimestamp{Timestamp: int64(1_700_000_000 + slot)},
	}}}
}

func statusUpdate(slot uint64, s pb.SlotStatus) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: slot, Status: s}}}
}

// grow adds blocks to a chain, each of two transactions that call the program
// and one that does not, between them.
func grow(chain *rpctest.Recorder, parent uint64, slots ...uint64) {
	for _, slot := range slots {
		chain.Add(
			txUpdate(slot, transaction(slot, 0, -1, program())),
			txUpdate(slot, transaction(slot, 1, 0)),
			txUpdate(slot, transaction(slot, 2, 1, program())),
			metaUpdate(slot, parent),
			statusUpdate(slot, pb.SlotStatus_SLOT_CONFIRMED), statusUpdate(slot, pb.SlotStatus_SLOT_FINALIZED),
		)
		parent = slot
	}
}

func chainOf(parent uint64, slots ...uint64) *rpctest.Recorder {
	chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
	grow(chain, parent, slots...)
	return chain
}

// dexes is the filter of most tests.
func dexes() geyser.Filter { return geyser.Filter{Programs: []solana.PublicKey{program()}} }
