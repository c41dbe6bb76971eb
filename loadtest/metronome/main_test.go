package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/swapcast/swapcast/loadtest/swarm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The load generator finds the tokens, and gets each price that was published: none is
// missing, and never more than the rate says.
func TestMetronome(t *testing.T) {
	const tokens, rate, connections = 10, 20, 12
	ctx, cancel := context.WithCancel(context.Background())
	type addresses struct{ public, admin string }
	ready, ended := make(chan addresses, 1), make(chan error, 1)
	go func() {
		ended <- run(ctx, options{listen: "127.0.0.1:0", admin: "127.0.0.1:0", tokens: tokens, rate: rate, connections: 50},
			slog.New(slog.DiscardHandler), func(public, admin string) { ready <- addresses{public, admin} })
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	}()
	var at addresses
	select {
	case at = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	ws := "ws://" + at.public + "/ws"
	server, err := swarm.NewServer(ws, "")
	if err != nil {
		t.Fatal(err)
	}
	assets, err := server.Assets(t.Context(), 100)
	if err != nil || len(assets) != tokens {
		t.Fatalf("%d tokens, %v", len(assets), err)
	}
	run, err := swarm.Prepare(t.Context(), swarm.Options{
		URLs: []string{ws}, Admin: []string{"http://" + at.admin}, Connections: connections, Mix: swarm.Mix{swarm.Multi: 1}, Ramp: 500 * time.Millisecond, Hold: 4 * time.Second,
		Session: time.Second, Assets: assets, TokensEach: 5, Zipf: 1.1, Processes: 1, Loops: 1, Timeout: 20 * time.Second,
	}, swarm.Env{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	rep, err := run.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rep.Failed() || !rep.Simulated {
		t.Errorf("%+v", rep.Findings)
	}
	took := time.Since(began).Seconds()
	if most := uint64((took + 1) * rate * 5 * connections); rep.Hold.Messages == 0 || rep.Hold.Messages > most {
		t.Errorf("%d messages in the hold; at most %d were due in the whole run", rep.Hold.Messages, most)
	}
	if n := counter(t, "http://"+at.admin+"/metrics", "swapcast_metronome_published_total"); n == 0 || n > (time.Since(began).Seconds()+5)*tokens*rate {
		t.Errorf("%v prices published", n)
	}
}

func counter(t *testing.T, url, name string) float64 {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-tokens", "0"}, {"-rate", "0"}, {"-rate", "NaN"}, {"-tokens", "1000", "-rate", "1e6"}, {"-max-connections", "0"}, {"x"}, {"-x"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
	var help bytes.Buffer
	if _, err := parse([]string{"-h"}, &help); err == nil || !strings.Contains(help.String(), "-rate") {
		t.Errorf("help: %v, %q", err, help.String())
	}
}
