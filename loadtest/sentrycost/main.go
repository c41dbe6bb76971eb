// Sentrycost measures what reporting to Sentry costs a server: the same load, by
// `swapcast load`, on a server with and one without --sentry-dsn, in turns, and the
// CPU time of the server's process beside each other. The Sentry server is a sink in
// this process that takes every event. All connections carry a test_id, so that all
// would be told of: the dearest case.
//
//	make build && go run ./loadtest/sentrycost -connections 10000
//
// Run it on a quiet machine, with twice as many open files allowed as connections.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// plan is the load of each run.
type plan struct {
	program            string
	connections, runs  int
	ramp, hold, stays  time.Duration
	source             string
	sentryEventsPerSec float64
}

func main() {
	var p plan
	flag.StringVar(&p.program, "swapcast", "bin/swapcast", "the program")
	flag.IntVar(&p.connections, "connections", 10_000, "connections")
	flag.IntVar(&p.runs, "runs", 3, "runs of each kind")
	flag.DurationVar(&p.ramp, "ramp", 60*time.Second, "time over which the connections are opened")
	flag.DurationVar(&p.hold, "hold", 120*time.Second, "time for which they are held then")
	flag.DurationVar(&p.stays, "session", 90*time.Second, "how long one connection lasts, give or take a half, before it comes anew")
	flag.StringVar(&p.source, "source", "market:", "--source of the server")
	flag.Float64Var(&p.sentryEventsPerSec, "events", 50, "--sentry-events-per-second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, &p, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sentrycost:", err)
		os.Exit(1)
	}
}

// measure makes the runs, in turns, and tells the medians.
func measure(ctx context.Context, p *plan, out io.Writer) error {
	sink, err := openSink()
	if err != nil {
		return err
	}
	defer sink.server.Close()
	fmt.Fprintf(out, "%d connections, one token each, opened within %s, held for %s, each anew after %s or so; source %s\n\n",
		p.connections, p.ramp, p.hold, p.stays, p.source)
	fmt.Fprintf(out, "%-8s %10s %12s %10s %10s %10s\n", "sentry", "CPU s", "% of a core", "sent", "dropped", "received")
	var cpu [2][]float64
	for range p.runs {
		for on := range 2 {
			dsn := ""
			if on == 1 {
				dsn = sink.dsn
			}
			before := sink.got.Load()
			r, err := one(ctx, p, dsn)
			if err != nil {
				return err
			}
			cpu[on] = append(cpu[on], r.cpu)
			fmt.Fprintf(out, "%-8s %10.2f %12.1f %10.0f %10.0f %10d\n%s", []string{"off", "on"}[on], r.cpu, 100*r.cpu/r.took.Seconds(), r.sent, r.dropped, sink.got.Load()-before, r.bad)
		}
	}
	off, with := median(cpu[0]), median(cpu[1])
	fmt.Fprintf(out, "\nmedian CPU: off %.2f s, on %.2f s: %+.1f%%\n", off, with, 100*(with/off-1))
	return nil
}

func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

// result is what one run cost.
type result struct {
	cpu           float64 // seconds, of the server's process
	took          time.Duration
	sent, dropped float64
	bad           string // what the load found wrong: the figure is then of little use
}

// bad are the lines of a report that say what failed.
func bad(report string) string {
	var lines strings.Builder
	for line := range strings.Lines(report) {
		if strings.HasPrefix(strings.TrimSpace(line), "BAD") {
			lines.WriteString("         " + strings.TrimSpace(line) + "\n")
		}
	}
	return lines.String()
}

// one loads a server of its own.
func one(ctx context.Context, p *plan, dsn string) (result, error) {
	listen, err := freeAddress(ctx)
	if err != nil {
		return result{}, err
	}
	admin, err := freeAddress(ctx)
	if err != nil {
		return result{}, err
	}
	//nolint:gosec // the program that the user names
	serve := exec.CommandContext(ctx, p.program, "serve", "--source", p.source, "--listen", listen, "--admin-listen", admin, "--log-level", "error",
		"--sentry-events-per-second", strconv.FormatFloat(p.sentryEventsPerSec, 'f', -1, 64))
	serve.Env = append(os.Environ(), "SWAPCAST_SENTRY_DSN="+dsn)
	serve.Stderr = os.Stderr
	serve.Cancel = func() error { return serve.Process.Signal(syscall.SIGTERM) }
	if err := serve.Start(); err != nil {
		return result{}, fmt.Errorf("start the server: %w", err)
	}
	defer func() {
		_ = serve.Process.Signal(syscall.SIGTERM)
		_ = serve.Wait()
	}()
	if err := awaitReady(ctx, "http://"+listen+"/readyz"); err != nil {
		return result{}, err
	}
	before, err := scrape(ctx, admin)
	if err != nil {
		return result{}, err
	}
	begun := time.Now()
	//nolint:gosec // as above
	load := exec.CommandContext(ctx, p.program, "load", "--url", "ws://"+listen+"/ws", "--admin", "http://"+admin, "--mix", "churn=100", "--log-level", "error",
		"-c", strconv.Itoa(p.connections), "--ramp", p.ramp.String(), "-d", p.hold.String(), "--session", p.stays.String(), "--test-id", "sentry-cost")
	text, err := load.CombinedOutput()
	var failed *exec.ExitError
	if err != nil && !(errors.As(err, &failed) && failed.ExitCode() == 1) {
		return result{}, fmt.Errorf("load: %w\n%s", err, text)
	}
	took := time.Since(begun)
	after, err := scrape(ctx, admin)
	if err != nil {
		return result{}, err
	}
	of := func(name string) float64 { return after[name] - before[name] }
	return result{of("process_cpu_seconds_total"), took, of("swapcast_sentry_events_total"), of("swapcast_sentry_dropped_total"), bad(string(text))}, nil
}

// scrape reads the metrics, each summed over its labels.
func scrape(ctx context.Context, admin string) (map[string]float64, error) {
	response, err := get(ctx, "http://"+admin+"/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	sums := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if i := strings.LastIndex(lines.Text(), "} "); i >= 0 {
			name, _, _ = strings.Cut(lines.Text(), "{")
			value = lines.Text()[i+2:]
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			sums[name] += v
		}
	}
	return sums, lines.Err()
}

func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	return response, nil
}

// awaitReady waits until the server has prices.
func awaitReady(ctx context.Context, url string) error {
	patience, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		response, err := get(patience, url)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-patience.Done():
			return fmt.Errorf("the server is not ready: %w", patience.Err())
		case <-again.C:
		}
	}
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// sink is a Sentry server that takes everything and keeps nothing.
type sink struct {
	server *http.Server
	dsn    string
	got    atomic.Int64
}

func openSink() (*sink, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	s := &sink{dsn: "http://public@" + l.Addr().String() + "/1"}
	s.server = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.got.Add(1)
		_, _ = w.Write([]byte(`{"id":"00000000000000000000000000000000"}`))
	})}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}
