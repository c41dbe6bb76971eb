package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testOptions are those of a drill against the program as it is now.
func testOptions(t *testing.T) options {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a server for most of a minute")
	}
	binary := filepath.Join(t.TempDir(), "swapcast")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/swapcast/swapcast/cmd/swapcast")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return options{
		binary: binary, folder: t.TempDir(), tps: 500, speed: 3, seed: 1, endpoints: 2, nodes: 2, rpcFaults: true,
		wallets: 12, cutEvery: 10 * time.Second, clients: fourClients(), log: slog.New(slog.DiscardHandler),
	}
}

// drillForTest runs a drill and fails the test where anything differs, but for so
// many candles.
func drillForTest(t *testing.T, o options, candles int) *drill {
	t.Helper()
	d, err := run(t.Context(), o)
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(o.folder, "serve.log"))
		t.Fatalf("%v\n%s", err, log[max(0, len(log)-4000):])
	}
	var text bytes.Buffer
	differences := d.report(&text)
	t.Log("\n" + text.String())
	off := 0
	for i := range d.verdicts {
		off += d.verdicts[i].candlesLost + d.verdicts[i].candlesWrong
	}
	if off > candles {
		t.Errorf("%d candles differ", off)
	}
	if differences -= off; differences > 0 {
		t.Errorf("%d differences", differences)
	}
	return d
}

// needsQuiet skips a drill where nobody asked for it: it takes minutes, and on a
// machine that is busy with other tests the clients are the first to fall behind.
// `make test` asks for one once the other tests are done; `make drill-short` and
// `make drill-silent` do.
func needsQuiet(t *testing.T) {
	t.Helper()
	if os.Getenv("SWAPCAST_DRILL") == "" {
		t.Skip("set SWAPCAST_DRILL=1, on a machine with nothing else to do")
	}
}

// offCandles is how many of some ten thousand candles may differ here: a filter
// that falls silent in the middle of a slot has the rest of it come late, which
// changes prices in the ninth digit. The trades themselves may not.
const offCandles = 100

// TestDrill is `make drill` with fewer swaps, a minute of them: both endpoints lie,
// then the first one fails in nearly every way.
func TestDrill(t *testing.T) {
	needsQuiet(t)
	o := testOptions(t)
	o.swaps, o.speed = 45_000, 1.5
	var err error
	if o.script, err = readScript("faults.yaml"); err != nil {
		t.Fatal(err)
	}
	d := drillForTest(t, o, offCandles)
	for i, s := range d.upstream.servers {
		if s.Stats().Faults[faults.Lying] == 0 {
			t.Errorf("endpoint %d did not lie", i)
		}
	}
	if n := d.upstream.chainFaults[faults.Fork] + d.upstream.chainFaults[faults.Banks] + d.upstream.chainFaults[faults.Dead]; n < 5 {
		t.Errorf("the chain had %d forks", n)
	}
	if d.clients[2].book.counts.retracted == 0 || d.clients[2].book.counts.cuts == 0 {
		t.Error("nothing was retracted, or nobody was cut")
	}
}

// TestSilentFilter is what a user of LaserStream met: the filter brought nothing
// for 15,000 slots while slots went on, then the stream was cut. Who resumes from
// the last slot that was heard of skips all of them; we resume from the last that
// our filter proved.
func TestSilentFilter(t *testing.T) {
	needsQuiet(t)
	const silent = 15_000
	o := testOptions(t)
	o.swaps, o.tps, o.speed = 52_000, 8, 200
	o.endpoints, o.nodes, o.rpcFaults = 1, 0, false
	o.stored = silent + 3_000
	o.launches = -1 // in the hours that it plays, more tokens than one connection may follow
	o.clients = fourClients()[:2]
	for i := range o.clients {
		o.clients[i].tradesOnly = true // more of them end at once than are kept for who was cut
	}
	o.serve = []string{"--hold-for", "5m"} // a slot in doubt is to wait, not to be let through
	var err error
	if o.script, err = faults.Parse(fmt.Appendf(nil, "endpoints:\n  0:\n  - silent_filter: {after_slots: 40, for_slots: %d, times: 1}\n", silent)); err != nil {
		t.Fatal(err)
	}
	d := drillForTest(t, o, 0)
	if d.upstream.servers[0].Stats().Faults[faults.SilentFilter] != 1 || d.truth.counts.slots < silent {
		t.Errorf("the filter was not silent for %d slots", silent)
	}
	if d.metrics[`swapcast_geyser_resumes_total{endpoint="`+d.status.Sources[0].Endpoint+`",outcome="replayed"}`] == 0 {
		t.Error("nothing was replayed")
	}
}
