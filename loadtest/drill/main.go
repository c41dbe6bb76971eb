package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
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
		verbose = flags.Bool("v", false, "log every fault")
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
	d, err := run(ctx, o)
	if err != nil {
		return 1, err
	}
	if d.report(stdout) > 0 {
		return 1, nil
	}
	return 0, nil
}

func newLog(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}
