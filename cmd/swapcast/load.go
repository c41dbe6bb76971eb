package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/loadtest/swarm"
)

// loadCmd is `swapcast load`: many WebSocket connections to a server, and an account of
// what came over them.
type loadCmd struct {
	URL         []string      `name:"url" help:"WebSocket address of the server; given several times, connections are spread over the servers. Only plain ws:// and this machine, but for --allow-remote." default:"ws://127.0.0.1:8080/ws" sep:"none" group:"Servers"`
	Admin       []string      `help:"Address of a server's admin listener, whose /metrics stand beside the figures; as many as there are servers. Default: http://127.0.0.1:9090 where --url is its default too, else none." placeholder:"URL" sep:"none" group:"Servers"`
	AllowRemote bool          `help:"Load a server on another machine. It must be yours: this is what an attack looks like." group:"Servers"`
	APIKey      string        `name:"api-key" help:"API key of the connections. Better given by environment, where other users do not see it." placeholder:"KEY" group:"Servers"`
	ConnTimeout time.Duration `name:"connect-timeout" help:"How long a connection may take to be made, until the answer to its handshake." default:"15s" group:"Servers"`

	Connections int           `help:"Connections in all." short:"c" default:"1000" group:"Load"`
	Mix         string        `help:"Share of each scenario. streams: prices of one token. multi: prices of --tokens-each tokens, popular ones more often. trades: trades of one token. balances: balances of one wallet. churn: prices of one token for a --session, then anew with another. slow: as multi, but reads one message a second." default:"streams" placeholder:"NAME=SHARE,..." group:"Load"`
	Ramp        time.Duration `help:"Time over which the connections are opened, evenly." default:"10s" group:"Load"`
	Duration    time.Duration `help:"Time for which they are held then; the figures are of it." short:"d" default:"30s" group:"Load"`
	Session     time.Duration `help:"How long a session of churn lasts, give or take a half." default:"10s" group:"Load"`
	Storm       time.Duration `help:"A third into the duration everybody leaves at once and returns at random within this time; 0: nobody does." default:"0s" group:"Load"`
	WindowMs    int           `help:"window_ms of the connections: at most one price a token in so many milliseconds." default:"0" group:"Load"`
	Batch       bool          `help:"Ask for batch=1: several updates may share a frame." group:"Load"`
	TestID      string        `name:"test-id" help:"test_id of the connections, and title of the report. Default: load- and the time." placeholder:"ID" group:"Load"`

	Assets     []string `help:"Mints to subscribe to, or @FILE with one a line. Default: what the server has prices of, the most liquid and traded first, then the newest." placeholder:"MINT,..." group:"Tokens"`
	Tokens     int      `help:"Most tokens that are used." default:"100" group:"Tokens"`
	TokensEach int      `help:"Tokens of a connection of multi or slow." default:"10" group:"Tokens"`
	Zipf       float64  `help:"How uneven their popularity is: the exponent of Zipf's law, above 1." default:"1.1" group:"Tokens"`
	Wallets    []string `help:"Wallets of balances, or @FILE with one a line. Default: up to 5,000 that traded lately." placeholder:"OWNER,..." group:"Tokens"`

	Processes       int `help:"Processes that share the connections, for more than one may have files open; their figures are merged." default:"1" group:"Generator"`
	Loops           int `help:"Reading goroutines of a process; 0: one a CPU." default:"0" group:"Generator"`
	SourceAddresses int `help:"Local addresses (127.0.0.3 and up) that the connections come from, each with ports of its own; 0: one for each 4,000 connections." default:"0" group:"Generator"`

	Report   string        `help:"Folder for report.json, report.html and report.txt. Default: none; the text is on standard output in any case." placeholder:"DIR" group:"Report"`
	Baseline string        `help:"report.json of an earlier run, to stand beside this one." placeholder:"FILE" group:"Report"`
	MaxP99   time.Duration `name:"max-p99" help:"Fail if the latency's p99 is above this; 0: any is fine." default:"0s" group:"Report"`
}

// Help implements kong.HelpProvider.
func (*loadCmd) Help() string {
	return `Exit code 0: every connection was made and kept, and no update is missing without a reason. 1: something of that failed; the report says what. 2: a wrong flag, or a limit of this machine or of the server, with the command that raises it.

Examples:

  swapcast serve &                                    a server to be loaded
  swapcast load                                       1,000 connections to it, one token each, for 30 s
  swapcast load -c 10000 --mix multi --report out     ten tokens each; plots in out/report.html
  swapcast load -c 10000 --mix multi --window-ms 50 --report out2 --baseline out/report.json
                                                      the same with conflation, beside the run before
  swapcast load -c 5000 --mix multi=95,slow=5         do slow readers delay the others?
  swapcast load -c 10000 --storm 10s                  everybody leaves, and returns within 10 s
  swapcast load -c 100000 --processes 6 --url ws://127.0.0.1:8081/ws --url ws://127.0.0.1:8082/ws ...
                                                      more than one server and one generator can hold

What each figure means: loadtest/README.md.`
}

// Run loads the servers.
func (c *loadCmd) Run(ctx context.Context, env *environ) error {
	options, err := c.options(ctx, env)
	if err != nil {
		return err
	}
	var base *report.Report
	if c.Baseline != "" {
		if base, err = readBaseline(c.Baseline); err != nil {
			return err
		}
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("own program: %w", err)
	}
	progress := newLoadProgress(env.Stderr, options)
	v, _ := buildInfo()
	run, err := swarm.Prepare(ctx, options, swarm.Env{
		Worker: []string{program, "load-worker"}, Progress: progress.show, Version: v, Command: c.line(),
	})
	if err != nil {
		return usagef("%v", err)
	}
	rep, err := run.Run(ctx)
	progress.end()
	if err != nil {
		return err
	}
	if c.MaxP99 > 0 && rep.Hold.Latency.P99 > c.MaxP99.Microseconds() {
		rep.Findings = append(rep.Findings, report.Finding{Bad: true, Text: fmt.Sprintf("p99 is %v, above %v", time.Duration(rep.Hold.Latency.P99)*time.Microsecond, c.MaxP99)})
	}
	if err := c.write(rep, base, env.Stdout); err != nil {
		return err
	}
	if rep.Failed() {
		return errors.New("the load test failed; see BAD above")
	}
	return nil
}

// options makes the swarm's of the flags, asking the server for what was not given.
func (c *loadCmd) options(ctx context.Context, env *environ) (swarm.Options, error) {
	mix, err := swarm.ParseMix(c.Mix)
	if err != nil {
		return swarm.Options{}, usagef("--mix: %v", err)
	}
	o := swarm.Options{
		URLs: c.URL, Admin: c.Admin, AllowRemote: c.AllowRemote, Connections: c.Connections, Mix: mix, Ramp: c.Ramp, Hold: c.Duration,
		Session: c.Session, Storm: c.Storm, TokensEach: c.TokensEach, Zipf: c.Zipf, WindowMS: c.WindowMs, Batch: c.Batch,
		TestID: c.TestID, APIKey: c.APIKey, Processes: c.Processes, Loops: c.Loops, Sources: c.SourceAddresses, Timeout: c.ConnTimeout,
	}
	if o.TestID == "" {
		o.TestID = "load-" + time.Now().UTC().Format("20060102-150405")
	}
	if o.Loops == 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if len(o.Admin) == 0 && slices.Equal(o.URLs, []string{"ws://127.0.0.1:8080/ws"}) {
		o.Admin = []string{"http://127.0.0.1:9090"}
	}
	for _, a := range o.Admin {
		if u, err := url.Parse(a); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return o, usagef("--admin %q: write http://host:port", a)
		}
	}
	if c.Tokens < 1 {
		return o, usagef("--tokens %d: must be above 0", c.Tokens)
	}
	if o.Assets, err = keyList("--assets", c.Assets); err != nil {
		return o, err
	}
	if o.Wallets, err = keyList("--wallets", c.Wallets); err != nil {
		return o, err
	}
	if err := swarm.CheckTargets(o); err != nil { // before anything is sent anywhere
		return o, usagef("%v", err)
	}
	return o, c.discover(ctx, &o, env)
}

// discover asks the first server for tokens and wallets.
func (c *loadCmd) discover(ctx context.Context, o *swarm.Options, env *environ) error {
	needWallets := o.Mix[swarm.Balances] > 0 && len(o.Wallets) == 0
	if len(o.Assets) > 0 && !needWallets {
		o.Assets = o.Assets[:min(len(o.Assets), c.Tokens)]
		return nil
	}
	server, err := swarm.NewServer(o.URLs[0], o.APIKey)
	if err != nil {
		return usagef("--url %s: %v", o.URLs[0], err)
	}
	if len(o.Assets) == 0 {
		if o.Assets, err = server.Assets(ctx, c.Tokens); err != nil {
			return fmt.Errorf("asking the server for its tokens (--assets spares that): %w", err)
		}
		if len(o.Assets) == 0 {
			return errors.New("the server has no price of anything yet; wait for its /readyz, or give --assets")
		}
		env.Log.Info("tokens found", "tokens", len(o.Assets))
	}
	o.Assets = o.Assets[:min(len(o.Assets), c.Tokens)]
	if needWallets {
		if o.Wallets, err = server.Wallets(ctx, o.Assets, 5000); err != nil {
			return fmt.Errorf("asking the server who traded (--wallets spares that): %w", err)
		}
		if len(o.Wallets) == 0 {
			return errors.New("the server knows of no trade yet; give --wallets")
		}
		env.Log.Info("wallets found", "wallets", len(o.Wallets))
	}
	return nil
}

// keyList reads a list of addresses, or @FILE with one a line.
func keyList(flag string, given []string) ([]string, error) {
	if len(given) == 1 && strings.HasPrefix(given[0], "@") {
		text, err := os.ReadFile(given[0][1:])
		if err != nil {
			return nil, usagef("%s: %v", flag, err)
		}
		given = strings.Fields(string(text))
	}
	seen := make(map[string]bool, len(given))
	for _, k := range given {
		if _, err := swapcast.ParseKey(k); err != nil {
			return nil, usagef("%s %q: %v", flag, k, err)
		}
		if seen[k] {
			return nil, usagef("%s: %s is there twice", flag, k)
		}
		seen[k] = true
	}
	return given, nil
}

func readBaseline(name string) (*report.Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("--baseline: %v", err)
	}
	defer f.Close()
	base, err := report.Read(f)
	if err != nil {
		return nil, usagef("--baseline %s: %v", name, err)
	}
	return base, nil
}

// write writes the report to standard output and, where asked for, as files.
func (c *loadCmd) write(rep, base *report.Report, out io.Writer) error {
	var text bytes.Buffer
	if err := rep.WriteText(&text, base); err != nil {
		return err
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return err
	}
	if c.Report == "" {
		return nil
	}
	if err := os.MkdirAll(c.Report, 0o755); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"report.txt", func(w io.Writer) error { _, err := w.Write(text.Bytes()); return err }},
		{"report.json", rep.WriteJSON},
		{"report.html", func(w io.Writer) error { return rep.WriteHTML(w, base) }},
	} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return err
		}
		name := filepath.Join(c.Report, f.name)
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
		fmt.Fprintln(out, name)
	}
	return nil
}

// line is the command line that makes the same run, without the key.
func (c *loadCmd) line() string {
	parts := []string{"swapcast load"}
	add := func(flag string, value any, given bool) {
		if given {
			parts = append(parts, fmt.Sprintf("%s %v", flag, value))
		}
	}
	for _, u := range c.URL {
		add("--url", u, u != "ws://127.0.0.1:8080/ws")
	}
	for _, a := range c.Admin {
		add("--admin", a, true)
	}
	add("-c", c.Connections, true)
	add("--mix", c.Mix, c.Mix != "streams")
	add("--ramp", c.Ramp, true)
	add("-d", c.Duration, true)
	add("--session", c.Session, strings.Contains(c.Mix, "churn"))
	add("--storm", c.Storm, c.Storm > 0)
	add("--window-ms", c.WindowMs, c.WindowMs > 0)
	add("--tokens-each", c.TokensEach, c.TokensEach != 10)
	add("--tokens", c.Tokens, c.Tokens != 100)
	add("--processes", c.Processes, c.Processes > 1)
	if c.Batch {
		parts = append(parts, "--batch")
	}
	return strings.Join(parts, " ")
}

// loadWorkerCmd is a process of `swapcast load --processes`. It is started by another
// one, which is why it is not in the help.
type loadWorkerCmd struct{}

// Run works until the plan is done or standard input ends.
func (*loadWorkerCmd) Run(ctx context.Context, env *environ) error {
	return swarm.Worker(ctx, env.Stdin, env.Stdout)
}
