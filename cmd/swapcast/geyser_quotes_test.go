package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/swapcast/swapcast"
)

// TestGeyserWithQuoteSources: the flags that `swapcast geyser` prints are those with
// which a server that follows it has quotes of every source, and both agree on the
// prices.
func TestGeyserWithQuoteSources(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	lines := make(chan string, 8)
	stdout := &lineWriter{line: func(line string) { lines <- line }}
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"geyser", "--listen", "127.0.0.1:0", "--with-quote-sources=127.0.0.1:0", "--source", "market:?seed=9&tps=200"}, strings.NewReader(""), stdout, &stderr)
	}()
	var text []string
	for range 3 {
		select {
		case line := <-lines:
			text = append(text, line)
		case <-code:
			t.Fatal(stderr.String())
		}
	}
	grpcAddress := regexp.MustCompile(`^listening on (\S+)`).FindStringSubmatch(text[1])[1]
	_, flags, ok := strings.Cut(text[2], ": serve ")
	if !ok {
		t.Fatal(text)
	}
	t.Run("serve", func(t *testing.T) {
		s := serveForTest(t, append(strings.Fields(flags), "--source", "grpc://"+grpcAddress)...)
		// What the chain is shows with its first update.
		within(t, "a simulated feed", func() bool { return s.stream.Feed() == swapcast.FeedSimulated })
		got := trustedQuote(t, "http://"+s.public.Addr().String())
		if got.Feed != "simulated" {
			t.Errorf("%+v", got)
		}
		for _, source := range got.Sources {
			if source.Outcome == "off" {
				t.Errorf("off: %+v", source)
			}
		}
	})
	stop()
	if c := <-code; c != exitOK {
		t.Errorf("exit code %d: %s", c, stderr.String())
	}
}

func TestWithQuoteSourcesFlag(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--with-quote-sources", "--source", "replay:/nowhere"}, "/nowhere"},
		{[]string{"--source", "replay:" + recording(t, 10), "--with-quote-sources=127.0.0.1:0"}, "only the built-in market"},
		{[]string{"--with-quote-sources=here"}, "--with-quote-sources"},
	} {
		code, _, stderr := command(t, t.Context(), append([]string{"geyser", "--listen", "127.0.0.1:0", "--log-level", "error"}, c.args...)...)
		if code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: code %d, %q", c.args, code, stderr)
		}
	}
	t.Setenv("SWAPCAST_WITH_QUOTE_SOURCES", "there")
	if code, _, stderr := command(t, t.Context(), "geyser", "--listen", "127.0.0.1:0", "--log-level", "error"); code != exitUsage || !strings.Contains(stderr, `"there"`) {
		t.Errorf("from the environment: code %d, %q", code, stderr)
	}
}
