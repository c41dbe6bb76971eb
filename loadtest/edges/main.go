package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are the drill's flags.
type settings struct {
	binary  string
	clients int
	mints   int
	tps     int
	calm    time.Duration
	report  string
	only    string
}

// run is main with what it touches passed in; 0: nothing unseen, nothing twice.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("edges", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.binary, "binary", "bin/swapcast", "the program")
	flags.IntVar(&s.clients, "clients", 30, "how many clients")
	flags.IntVar(&s.mints, "mints", 8, "how many mints each of them watches")
	flags.IntVar(&s.tps, "tps", 100, "transactions a second of the simulated chain")
	flags.DurationVar(&s.calm, "calm", 5*time.Second, "how long all is left alone before a kill and after it")
	flags.StringVar(&s.report, "report", "", "file that the table is written to as well")
	flags.StringVar(&s.only, "only", "", "only faults whose name holds this")
	if flags.Parse(args) != nil {
		return 2
	}
	rows, err := drill(ctx, &s, stderr)
	text := table(&s, rows)
	fmt.Fprint(stdout, text)
	if s.report != "" {
		err = errors.Join(err, os.WriteFile(s.report, []byte(text), 0o600))
	}
	if err != nil {
		fmt.Fprintln(stderr, "edges:", err)
		return 1
	}
	for _, r := range rows {
		if r.unseen+r.twice+r.foreign > 0 {
			return 1
		}
	}
	return 0
}

// drill runs everything.
func drill(ctx context.Context, s *settings, log io.Writer) ([]row, error) {
	dir, err := os.MkdirTemp("", "swapcast-edges-")
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(log, "logs are in", dir)
	binary, err := filepath.Abs(s.binary)
	if err != nil {
		return nil, err
	}
	f, err := startFleet(ctx, dir, binary, s.tps)
	defer f.stop()
	if err != nil {
		return nil, err
	}
	mints, err := traded(ctx, f.directURL, s.mints)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	d := &trial{fleet: f, settings: s, log: log}
	direct, err := watch(ctx, "direct", f.directURL, mints, &group)
	if err != nil {
		return nil, err
	}
	group.Go(func() { d.order.follow(ctx, direct) })
	for i := range s.clients {
		w, err := watch(ctx, fmt.Sprintf("c%d", i), f.publicURL, mints, &group)
		if err != nil {
			return nil, err
		}
		d.watchers = append(d.watchers, w)
	}
	d.began = time.Now().Add(late)
	group.Go(func() { d.sample(ctx) })
	return d.run(ctx)
}

// traded are the mints that are worth most.
func traded(ctx context.Context, url string, n int) ([]string, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		_, body, err := get(ctx, url+"/v1/prices")
		var answer struct {
			Prices []struct{ AssetID string }
		}
		if err == nil {
			err = json.Unmarshal(body, &answer)
		}
		if err == nil && len(answer.Prices) >= n {
			mints := make([]string, 0, n)
			for _, p := range answer.Prices[:n] {
				mints = append(mints, p.AssetID)
			}
			return mints, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s has %d mints, %d are needed: %w", url, len(answer.Prices), n, err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// table is the result as text.
func table(s *settings, rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d ingests, %d edges, a Redis Cluster of %d, nginx; %d clients of %d mints (trades processed and confirmed, prices), %d simulated transactions a second\n\n",
		ingests, edges, masters, s.clients, s.mints, s.tps)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "killed\ttrades\tunseen\ttwice\tforeign\tgaps\trecover s\tquiet s\tmoved")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%d\n", r.name, r.trades, r.unseen, r.twice, r.foreign, r.gaps, r.recover.Seconds(), r.quiet.Seconds(), r.moved)
	}
	_ = w.Flush() // to memory
	b.WriteString("\ntrades: what the undisturbed client was told meanwhile; unseen, twice, foreign (that it was never told), gaps and moved: over all clients\n")
	return b.String()
}
