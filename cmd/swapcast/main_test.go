package main

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.uber.org/goleak"

	"github.com/swapcast/swapcast/parser/parsertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// corpusFile returns a file of the corpus of real transactions, or ends the test
// as parsertest.CorpusDir says.
func corpusFile(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(parsertest.CorpusDir(t), name)
}

// serveForTest starts `swapcast serve` with args on free ports and stops it at
// the end of the test, which fails if the server did.
func serveForTest(t *testing.T, args ...string) *server {
	t.Helper()
	c := parseServe(t, args...)
	if err := c.validate(); err != nil { // it reads flags, too
		t.Fatal(err)
	}
	s, err := newServer(t.Context(), c, testEnviron(t))
	if err != nil {
		t.Fatal(err)
	}
	runForTest(t, s.run)
	return s
}

// parseServe reads a serve command line as run does.
func parseServe(t testing.TB, args ...string) *serveCmd {
	t.Helper()
	var cli commandLine
	parser, err := kong.New(&cli, kong.DefaultEnvars("SWAPCAST"))
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-timeout", "2s"}, args...)
	if _, err := parser.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &cli.Serve
}

// runForTest runs part until the test ends.
func runForTest(t *testing.T, part func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("did not end within 20 s of being told")
		}
	})
}

func testEnviron(t testing.TB) *environ {
	t.Helper()
	return &environ{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Log: newLogger(t.Output(), "text", "warn")}
}
