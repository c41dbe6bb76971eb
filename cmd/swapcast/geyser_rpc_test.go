package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/geyser/replay/faults"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/tokens"
)

// TestGeyserWithRPC plays a market whose chain forks, has slots that die, others
// that are skipped and some with two banks, and fills every slot of it over
// RPC: what came is what the truth says, transaction by transaction.
func TestGeyserWithRPC(t *testing.T) {
	const enough = 60 // slots
	truthFile := filepath.Join(t.TempDir(), "truth.jsonl")
	script := scriptFile(t, "seed: 4\nchain:\n- fork: {every_slots: 7}\n- dead: {every_slots: 11}\n- banks: {every_slots: 5}\n- skip_slots: {every_slots: 9, slots: 2}\n- v1: {rate: 0.2}\n")
	ctx, stop := context.WithCancel(t.Context())
	found := make(chan string, 2)
	stdout := &lineWriter{line: func(line string) {
		if m := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(line); m != nil {
			found <- m[1]
		}
	}}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"geyser", "--listen", "127.0.0.1:0", "--with-rpc", "127.0.0.1:0", "--source", "market:?seed=9&tps=100&speed=20",
			"--faults", script, "--truth", truthFile, "--rpc-address-history",
		}, strings.NewReader(""), stdout, &stderr)
	}()
	grpcAddress, rpcAddress := <-found, <-found
	first, last := watchSlots(t, grpcAddress, enough)

	pool, err := rpcpool.New(rpcpool.Options{URLs: []string{"http://" + rpcAddress}, PerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	out := make(chan *geyser.Event, 64)
	filler, err := backfill.New(backfill.Options{RPC: pool, Out: out, Filter: geyser.Filter{Firehose: true}})
	if err != nil {
		t.Fatal(err)
	}
	runForTest(t, filler.Run)
	filler.Missing(first, last)
	got, verdicts := make(map[string]int), make(map[uint64]geyser.Kind)
	for deadline := time.After(3 * time.Minute); len(verdicts) < int(last-first+1); {
		select {
		case e := <-out:
			switch e.Kind {
			case geyser.KindTx:
				got[fmt.Sprintf("%d %d %s", e.Tx.Slot, e.Tx.Index, e.Tx.Signature)]++
			case geyser.KindFilled, geyser.KindSkipped:
				verdicts[e.Slot.Slot] = e.Kind
			case geyser.KindLost:
				t.Fatalf("slots %d to %d are lost: %s", e.From, e.To, e.Reason)
			}
		case <-deadline:
			t.Fatalf("%d of %d slots within 3 minutes", len(verdicts), last-first+1)
		}
	}
	checkMints(t, pool)
	stop()
	if c := <-code; c != 0 {
		t.Fatalf("exit code %d: %s", c, stderr.String())
	}

	want, kept := readTruth(t, truthFile, first, last)
	skipped := 0
	for slot := first; slot <= last; slot++ {
		if kind := verdicts[slot]; (kind == geyser.KindFilled) != kept[slot] {
			t.Errorf("slot %d: kind %d, kept %v", slot, kind, kept[slot])
		} else if kind == geyser.KindSkipped {
			skipped++
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d transactions came, %d are true", len(got), len(want))
	}
	if skipped < 10 || len(want) < 200 {
		t.Errorf("only %d slots were skipped and %d transactions landed", skipped, len(want))
	}
}

// watchSlots follows a server until n slots were finalized, and gives the first
// and the last of them.
func watchSlots(t *testing.T, address string, n int) (first, last uint64) {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stream, err := pb.NewGeyserClient(conn).Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.SubscribeRequest{Slots: map[string]*pb.SubscribeRequestFilterSlots{"s": {}}}); err != nil {
		t.Fatal(err)
	}
	for seen := 0; seen < n; {
		u, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if s := u.GetSlot(); s.GetStatus() == pb.SlotStatus_SLOT_FINALIZED {
			if seen++; first == 0 {
				first = s.GetSlot()
			}
			last = s.GetSlot()
		}
	}
	return first, last
}

// readTruth gives the transactions that landed within the slots, votes left out,
// and the slots that the chain kept.
func readTruth(t *testing.T, path string, first, last uint64) (txs map[string]int, kept map[uint64]bool) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	txs, kept = make(map[string]int), make(map[uint64]bool)
	for line := range bytes.Lines(raw) {
		var x faults.Truth
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		if x.Slot < first || x.Slot > last {
			continue
		}
		switch {
		case x.Kind == faults.TruthSlot && x.Fate == faults.FateLanded:
			kept[x.Slot] = true
		case x.Kind == faults.TruthTx && !x.Vote:
			txs[fmt.Sprintf("%d %d %s", x.Slot, x.Index, x.Signature)]++
		}
	}
	return txs, kept
}

// checkMints asks for the facts of the market's mints.
func checkMints(t *testing.T, pool *rpcpool.Pool) {
	t.Helper()
	loader, err := tokens.New(tokens.Options{RPC: pool})
	if err != nil {
		t.Fatal(err)
	}
	runForTest(t, loader.Run)
	listed := sim.Tokens()
	for _, token := range listed {
		loader.Want(token.Mint)
	}
	for range listed {
		select {
		case got := <-loader.Found():
			at := slices.IndexFunc(listed, func(x swapcast.Token) bool { return x.Mint == got.Mint })
			if want := listed[at]; got.Symbol != want.Symbol || got.Name != want.Name || got.Decimals != want.Decimals || got.Program != want.Program {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no facts within 30 s")
		}
	}
}

// TestGeyserWithRPCRefuses names the flag that is wrong.
func TestGeyserWithRPCRefuses(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--with-rpc", "nonsense"}, `--with-rpc "nonsense" is not host:port`},
		{[]string{"--rpc-address-history"}, "--with-rpc"},
		{[]string{"--source", "replay:" + recording(t, 3), "--loop", "--with-rpc", "127.0.0.1:0"}, "--loop"},
	} {
		var stderr bytes.Buffer
		code := run(t.Context(), append([]string{"geyser", "--listen", "127.0.0.1:0"}, c.args...), strings.NewReader(""), &bytes.Buffer{}, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), c.want) || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%q: exit code %d: %s", c.args, code, stderr.String())
		}
	}
}
