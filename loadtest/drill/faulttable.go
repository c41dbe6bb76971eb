package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// faultCase is one fault by itself.
type faultCase struct {
	name      string
	kind      faults.Kind // whose strike begins the clock
	script    string
	endpoints int
	length    time.Duration // of the chain
}

// faultCases are all faults, one at a time: with one endpoint, so that nobody
// helps it, but where two are needed to see a lie.
func faultCases() []faultCase {
	chain := func(name string, kind faults.Kind, entry string) faultCase {
		return faultCase{name, kind, "chain:\n- " + entry + "\n", 1, 12 * time.Second}
	}
	one := func(name string, kind faults.Kind, length time.Duration, entries ...string) faultCase {
		return faultCase{name, kind, "endpoints:\n  0:\n  - " + strings.Join(entries, "\n  - ") + "\n", 1, length}
	}
	lie := func(how string) faultCase {
		return faultCase{
			"lying: " + how + " (two endpoints)", faults.Lying,
			"endpoints:\n  1:\n  - lying: {at: 4s, how: " + how + "}\n", 2, 14 * time.Second,
		}
	}
	const short, long = 16 * time.Second, 30 * time.Second
	return []faultCase{
		chain("fork, the loser dies", faults.Fork, "fork: {at_slot: 420000040, own: 0.5}"),
		chain("fork, the loser is left aside", faults.Fork, "fork: {at_slot: 420000040, order: after, own: 0.5, end: aside}"),
		chain("a slot dies half-way", faults.Dead, "dead: {at_slot: 420000040}"),
		chain("two banks in a slot", faults.Banks, "banks: {at_slot: 420000040, own: 0.5}"),
		chain("skipped slots", faults.SkipSlots, "skip_slots: {at_slot: 420000040, slots: 3}"),
		chain("a transaction in two slots", faults.NonceTwice, "nonce_twice: {at_slot: 420000040, later: 3}"),
		chain("v1 transactions", faults.V1, "v1: {rate: 0.5}"),
		one("messages twice", faults.Duplicate, short, "duplicate: {rate: 0.05}"),
		one("transactions out of order", faults.Reorder, short, "reorder: {rate: 0.5}"),
		one("block meta early", faults.BlockMetaEarly, short, "block_meta_early: {rate: 0.5}"),
		one("cut: TCP reset", faults.Cut, short, "cut: {at: 4s, times: 1, with: TCP}"),
		one("cut: INTERNAL", faults.Cut, short, "cut: {at: 4s, times: 1, with: INTERNAL, message: transport error}"),
		one("cut: end of stream", faults.Cut, short, "cut: {at: 4s, times: 1, with: OK}"),
		one("half open, pings answered", faults.HalfOpen, long, "half_open: {at: 4s, times: 1, keepalive: true}"),
		one("half open, deaf", faults.HalfOpen, long, "half_open: {at: 4s, times: 1, keepalive: false}"),
		one("lagged", faults.Lagged, short, "lagged: {at: 4s, times: 1}"),
		one("filter silent for 60 slots", faults.SilentFilter, long, "silent_filter: {at: 4s, times: 1, for_slots: 60}"),
		one("3 slots withheld", faults.WithholdSlots, long, "withhold_slots: {at: 4s, times: 1, slots: 3}"),
		one("corrupt message", faults.Corrupt, short, "corrupt: {at: 4s, times: 1, how: truncated}"),
		one("restart, 2 s down, history gone", faults.Restart, long, "restart: {at: 4s, down: 2s}"),
		one("history forgotten while away", faults.Cut, long, "cut: {at: 4s, times: 1, with: RESOURCE_EXHAUSTED}", "resource_exhausted: {at: 4s, for: 3s}", "forget_history: {at: 6s, keep_slots: 5}"),
		one("from_slot not supported", faults.Cut, long, "cut: {at: 4s, times: 1}", "refuse_from_slot: {with: unsupported}"),
		one("replays fail", faults.Cut, long, "cut: {at: 4s, times: 1}", "refuse_from_slot: {with: failed}"),
		one("from_slot out of range", faults.Cut, long, "cut: {at: 4s, times: 1}", "refuse_from_slot: {at: 3s, for: 6s, with: out_of_range}"),
		one("token refused for 3 s", faults.Cut, 80*time.Second, "cut: {at: 4s, times: 1}", "refuse_auth: {at: 4s, for: 3s}"),
		one("RESOURCE_EXHAUSTED for 3 s", faults.Cut, long, "cut: {at: 4s, times: 1}", "resource_exhausted: {at: 4s, for: 3s}"),
		one("slowed to 20 kB/s for 3 s", faults.SlowDown, long, "slow_down: {at: 4s, for: 3s, bytes_per_second: 20000}"),
		one("late by 400 ms for 5 s", faults.Late, short, "late: {at: 4s, for: 5s, by: 400ms}"),
		lie("altered"), lie("invented"), lie("left_out"),
	}
}

// tableRow is what came of one.
type tableRow struct {
	faultCase
	did                 string
	processed           string // seconds until fresh again
	confirmed           string
	replayed            int64
	rpc, gaps           float64
	lost, twice, others int
	examples            []string
}

const (
	tableTPS   = 120
	tableSpeed = 4.0 // a slot lasts 100 ms
)

// runFaultTable drills one fault after the other and writes the table.
func runFaultTable(ctx context.Context, o options, only string, stderr io.Writer) ([]tableRow, error) {
	var rows []tableRow
	for _, c := range faultCases() {
		if only != "" && !strings.Contains(c.name, only) {
			continue
		}
		row, err := runFaultCase(ctx, o, c)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(stderr, "%s: %s; fresh after %s s, confirmed %s s; %d slots by replay, %.0f by RPC, %.0f lost; trades lost %d, twice %d, other differences %d\n",
			c.name, row.did, row.processed, row.confirmed, row.replayed, row.rpc, row.gaps, row.lost, row.twice, row.others)
		for _, line := range row.examples {
			fmt.Fprintln(stderr, "  "+line)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func runFaultCase(ctx context.Context, o options, c faultCase) (tableRow, error) {
	script, err := faults.Parse([]byte("seed: 1\n" + c.script))
	if err != nil {
		return tableRow{}, err
	}
	w := &watcher{kind: c.kind}
	o.script, o.endpoints, o.nodes, o.rpcFaults = script, c.endpoints, 1, false
	o.tps, o.speed = tableTPS, tableSpeed
	o.swaps = uint64(c.length.Seconds() * tableTPS * tableSpeed * 0.9)
	o.clients = fourClients()[:2]
	o.onFault = w.struck
	o.during = func(ctx context.Context, d *drill) error {
		w.done.Go(func() { w.watch(ctx, d) })
		return nil
	}
	d, err := run(ctx, o)
	w.done.Wait()
	if err != nil {
		return tableRow{}, err
	}
	row := tableRow{faultCase: c, processed: w.fresh(0), confirmed: w.fresh(1)}
	row.did, row.replayed = didOf(filepath.Join(o.folder, "serve.log"), w)
	for name, n := range d.metrics {
		switch {
		case strings.HasPrefix(name, "swapcast_backfill_slots_total"):
			row.rpc += n
		case strings.HasPrefix(name, "swapcast_ledger_gap_slots_total"):
			row.gaps += n
		case strings.HasPrefix(name, "swapcast_backfill_disputes_total"):
			row.did += fmt.Sprintf("; %.0f asked of RPC", n)
		}
	}
	if n := d.clients[0].book.counts.retracted; n > 0 {
		row.did += fmt.Sprintf("; %d trades retracted", n)
	}
	for i := range d.verdicts {
		row.lost += d.verdicts[i].lost
	}
	row.twice = d.problems.count("told twice")
	row.others = d.problems.total() - row.lost - row.twice
	row.examples = d.problems.examples()
	row.did = strings.TrimPrefix(row.did, "; ")
	if row.did == "" {
		row.did = "nothing"
	}
	return row, nil
}

// watcher looks how far the clients are behind the chain.
type watcher struct {
	kind faults.Kind
	done sync.WaitGroup

	mu sync.Mutex
	// guarded by mu
	at      time.Time // of the first strike
	samples []sample
}

type sample struct {
	at     time.Time
	top    uint64    // of the chain
	behind [2]uint64 // slots that each client is behind
}

func (w *watcher) struck(_ int, e faults.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Kind == w.kind && w.at.IsZero() {
		w.at = e.Time
	}
}

// watch samples until the chain ends.
func (w *watcher) watch(ctx context.Context, d *drill) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		over, top := d.truth.ended()
		if over {
			return
		}
		s := sample{at: time.Now(), top: top}
		for i := range s.behind {
			if newest := d.clients[i].book.newest(); newest < top {
				s.behind[i] = top - newest
			}
		}
		w.mu.Lock()
		w.samples = append(w.samples, s)
		w.mu.Unlock()
	}
}

// A client has fallen behind when it does so soon after the strike, and is fresh
// again once it has been so for a while.
const (
	soon      = 6 * time.Second
	forAWhile = 500 * time.Millisecond
)

// fresh is how long after the strike a client that had fallen further behind than
// it ever was before it was up with the chain again, in seconds.
func (w *watcher) fresh(client int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	usual := uint64(2) // slots, that a moment's scheduling explains
	var last time.Time // when it was behind
	for _, s := range w.samples {
		behind := s.behind[client] > usual+1
		switch {
		case s.top < leadSlots+420_000_000+6:
		case w.at.IsZero() || s.at.Before(w.at):
			usual = max(usual, s.behind[client])
		case behind && (!last.IsZero() || s.at.Sub(w.at) < soon):
			last = s.at
		case !last.IsZero() && s.at.Sub(last) > forAWhile:
			return fmt.Sprintf("%.1f", last.Sub(w.at).Seconds())
		}
	}
	if last.IsZero() {
		return "0"
	}
	return "not within the run"
}

// topAt is the chain's newest slot at a time.
func (w *watcher) topAt(at time.Time) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearchFunc(w.samples, at, func(s sample, at time.Time) int { return s.at.Compare(at) })
	if len(w.samples) == 0 {
		return 0
	}
	return w.samples[min(i, len(w.samples)-1)].top
}

// didOf reads from the server's log what the subscriber did: why its streams
// ended, and how they were resumed; and how many slots replays brought that were
// not proved yet.
func didOf(path string, w *watcher) (did string, replayed int64) {
	f, err := os.Open(path)
	if err != nil {
		return err.Error(), 0
	}
	defer f.Close()
	var words []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var line struct {
			Time             time.Time
			Msg, Reason      string
			Breaker          string
			FromSlot         uint64 `json:"from_slot"`
			Proved, Failures uint64
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		switch line.Msg {
		case "stream ended; reconnecting":
			word := line.Reason
			if line.Breaker != "closed" {
				word += ", breaker " + line.Breaker
			}
			words = append(words, word)
		case "stream resumed":
			words = append(words, "replayed")
			replayed += int64(w.topAt(line.Time)) - int64(line.Proved) //nolint:gosec // slots
		case "filling missing slots over RPC":
			if !slices.Contains(words, "asks RPC") {
				words = append(words, "asks RPC")
			}
		}
	}
	return strings.Join(counted(words), ", "), replayed
}

// counted writes what comes several times in a row once, with its count.
func counted(words []string) (out []string) {
	for i := 0; i < len(words); {
		n := 1
		for i+n < len(words) && words[i+n] == words[i] {
			n++
		}
		word := words[i]
		if n > 1 {
			word = fmt.Sprintf("%s ×%d", word, n)
		}
		out = append(out, word)
		i += n
	}
	return out
}

// writeFaultTable writes the rows as Markdown.
func writeFaultTable(w io.Writer, rows []tableRow) {
	fmt.Fprintln(w, "| fault | what the subscriber and the server did | processed fresh after, s | confirmed fresh after, s | slots by replay | by RPC | recorded as gaps | trades lost | twice | other differences |")
	fmt.Fprintln(w, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "| %s | %s | %s | %s | %d | %.0f | %.0f | %d | %d | %d |\n", r.name, r.did, r.processed, r.confirmed, r.replayed, r.rpc, r.gaps, r.lost, r.twice, r.others)
	}
}
