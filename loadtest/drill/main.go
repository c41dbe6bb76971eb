package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
	}
	stop()
	os.Exit(code)
}

// command runs the drill that the arguments ask for and returns the exit code: 1
// where anything differs.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	flags := flag.NewFlagSet("drill", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		o       = options{endpoints: 2, clients: fourClients()}
		script  = flags.String("faults", "loadtest/drill/faults.yaml", "file of faults; empty for none")
		verbose = flags.Bool("v", false, "log progress and faults")
		table   = flags.String("table", "", "one fault at a time instead, the table into this file; with -only those whose name contains a word")
		only    = flags.String("only", "", "see -table")
		keep    = flags.String("report", "", "write the report into this file too")
		latency = flags.Bool("latency", false, "two endpoints instead, one late, one that dies: how late clients are")
	)
	flags.Uint64Var(&o.swaps, "swaps", 1_000_000, "swaps to play at least")
	flags.IntVar(&o.tps, "tps", 500, "transactions in a second of the market's time")
	flags.Float64Var(&o.speed, "speed", 3, "how much faster than its own time the market is played; 0: as fast as it is taken")
	flags.Uint64Var(&o.seed, "seed", 1, "of the market")
	flags.IntVar(&o.nodes, "rpc", 2, "JSON-RPC nodes")
	flags.BoolVar(&o.rpcFaults, "rpc-faults", true, "have the JSON-RPC nodes do wrong too")
	flags.IntVar(&o.wallets, "wallets", 12, "wallets whose balances are followed")
	flags.DurationVar(&o.cutEvery, "cut", 10*time.Second, "how often two of the clients are cut")
	flags.StringVar(&o.binary, "binary", "bin/swapcast", "the program under test")
	flags.StringVar(&o.folder, "logs", filepath.Join(os.TempDir(), "swapcast-drill"), "folder for the logs of the server and of the endpoints")
	if err := flags.Parse(args); err != nil {
		return 2, nil //nolint:nilerr // it has told
	}
	if err := os.MkdirAll(o.folder, 0o755); err != nil {
		return 2, err
	}
	if *script != "" {
		var err error
		if o.script, err = readScript(*script); err != nil {
			return 2, err
		}
	}
	o.log = newLog(stderr, *verbose)
	o.onFault = func(endpoint int, e faults.Event) {
		if e.Kind == faults.Lying { // the endpoint's own log tells of the first one only
			o.log.Info("a lie", "endpoint", endpoint, "slot", e.Slot, "how", e.Detail)
		}
	}
	switch {
	case *table != "":
		return oneByOne(ctx, o, *table, *only, stdout, stderr)
	case *latency:
		rows, err := runLatency(ctx, o)
		if err != nil {
			return 1, err
		}
		writeLatency(stdout, rows)
		return 0, nil
	}
	d, err := run(ctx, o)
	if err != nil {
		return 1, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "drill -swaps %d, %s, on %s. The chain is simulated.\n\n", o.swaps, time.Now().UTC().Format("2006-01-02"), machine())
	code := 0
	if d.report(&text) > 0 {
		code = 1
	}
	if _, err := stdout.Write(text.Bytes()); err != nil {
		return 1, err
	}
	if *keep != "" {
		return code, os.WriteFile(*keep, text.Bytes(), 0o644) //nolint:gosec // for everybody to read
	}
	return code, nil
}

func newLog(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// oneByOne makes the table of faults. A run in part is shown and not kept.
func oneByOne(ctx context.Context, o options, path, only string, stdout, stderr io.Writer) (int, error) {
	rows, err := runFaultTable(ctx, o, only, stderr)
	if err != nil {
		return 1, err
	}
	latency, err := runLatency(ctx, o)
	if err != nil {
		return 1, err
	}
	var text bytes.Buffer
	writeResults(&text, rows, latency)
	if only != "" {
		_, err = stdout.Write(text.Bytes())
	} else {
		err = os.WriteFile(path, text.Bytes(), 0o644) //nolint:gosec // for everybody to read
	}
	code := 0
	for i := range rows {
		if rows[i].lost+rows[i].twice+rows[i].others > 0 {
			code = 1
		}
	}
	return code, err
}

// writeResults is loadtest/drill/RESULTS.md.
func writeResults(w io.Writer, rows []tableRow, latency []latencyRow) {
	fmt.Fprintf(w, `# What faults do

Written by `+"`make drill-faults`"+` on %s, on %s. The chain is simulated.

One fault at a time, 4 s into a run of its own: one endpoint (two, where one lies), one JSON-RPC node
without faults, slots of 100 ms, %d transactions in a slot, --stale-after 5s. "Fresh after" is when the client, having
fallen further behind the chain than it ever was before the fault, was up with it again; 0: it never fell behind. "Slots by replay" are those that the
checkpoint did not cover when the stream was resumed. Trades are compared with the chain's truth at the end, at both
commitments, and so are candles, balances, retractions and numbers: "other differences".

`, time.Now().UTC().Format("2006-01-02"), machine(), int(tableTPS*0.4))
	writeFaultTable(w, rows)
	fmt.Fprintf(w, `
## Two endpoints, one late, one that dies

One run, three servers: endpoint 0 is on time and dies for good after %s, endpoint 1 is 400 ms late. From when a
transaction is played to when the client has its trade (%d transactions a second, all tokens), the second around the
death left out:

`, diesAfter, latencyTPS)
	writeLatency(w, latency)
}

// machine is what it ran on.
func machine() string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores (%s), %s, shared with other programs", runtime.NumCPU(), model, runtime.Version())
}
