package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// scenario is one column group of the table.
type scenario struct {
	name    string
	title   string
	conns   int
	tokens  int
	each    int
	offered int // messages a second over all connections
	only    []string
}

// updates is what the publisher has to publish a second.
func (s scenario) updates() int {
	followers := max(s.conns*min(s.each, s.tokens)/s.tokens, 1)
	return max(s.offered/followers, 1)
}

// plain are the servers that send every message; the others conflate.
func plain() []string {
	return []string{
		"swapcast", "coder-goroutine", "coder-publisher", "gorilla", "gws", "gobwas", "centrifuge", "nats", "node-ws",
	}
}

func scenarios(quick bool) []scenario {
	many, more := 1_000, 10_000
	if quick {
		many, more = 50, 200
	}
	at := func(rate int) int {
		if quick {
			return rate / 50
		}
		return rate
	}
	return []scenario{
		{"one-50k", "one token", many, 1, 1, at(50_000), plain()},
		{"one-300k", "one token", many, 1, 1, at(300_000), plain()},
		{"one-max", "one token", many, 1, 1, at(2_000_000), plain()},
		{"hundred-50k", "one of 100 tokens each", more, 100, 1, at(50_000), plain()},
		{
			"ten-each", "ten of 100 tokens each", more, 100, 10, at(2_000_000),
			[]string{"swapcast", "swapcast-100ms", "centrifuge", "centrifuge-100ms", "gws"},
		},
		{"idle", "idle", more, 100, 1, 0, plain()},
	}
}

type runOptions struct {
	quick        bool
	repeat       int
	loops        int
	warm, window time.Duration
	nodeDir      string
	log          io.Writer
}

// measurement is one run of one server in one scenario.
type measurement struct {
	Scenario string `json:"scenario"`
	Server   string `json:"server"`
	Run      int    `json:"run"`
	result
	IdleKB float64 `json:"idleKBPerConnection,omitempty"`
	Error  string  `json:"error,omitempty"`
}

func runTable(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	o := runOptions{log: os.Stderr}
	fs.BoolVar(&o.quick, "quick", false, "small numbers and short windows: shows that everything works, measures nothing")
	fs.IntVar(&o.repeat, "repeat", 3, "runs of each server and scenario, in turn; the table has medians")
	fs.IntVar(&o.loops, "loops", 1, "epoll loops of the client")
	fs.DurationVar(&o.warm, "warm", 3*time.Second, "time before each window")
	fs.DurationVar(&o.window, "window", 10*time.Second, "measured time of each run")
	fs.StringVar(&o.nodeDir, "node-dir", "node", "folder of server.js in which `npm ci` has been run")
	servers := fs.String("servers", "", "only these, with commas between")
	wanted := fs.String("scenarios", "", "only these, with commas between: one-50k,one-300k,one-max,hundred-50k,ten-each,idle")
	outPath := fs.String("out", "", "file for the Markdown table; standard output where empty")
	rawPath := fs.String("raw", "", "file for every single measurement, a JSON line each")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.quick {
		o.repeat, o.warm, o.window = 1, 300*time.Millisecond, time.Second
	}
	list, err := o.all(ctx, split(*servers), split(*wanted))
	if err != nil {
		return err
	}
	if *rawPath != "" {
		if err := writeRaw(*rawPath, list); err != nil {
			return err
		}
	}
	table := markdown(list, scenarios(o.quick), o)
	if *outPath == "" {
		_, err := io.WriteString(out, table)
		return err
	}
	return os.WriteFile(*outPath, []byte(table), 0o644)
}

func writeRaw(path string, list []measurement) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for _, m := range list {
		if err := enc.Encode(m); err != nil {
			return err
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// all runs every scenario. Within one the servers take turns, so that a busy
// minute of the machine falls on all of them.
func (o *runOptions) all(ctx context.Context, servers, wanted []string) ([]measurement, error) {
	var list []measurement
	for _, s := range scenarios(o.quick) {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		for run := range o.repeat {
			for _, name := range s.only {
				if len(servers) > 0 && !slices.Contains(servers, name) {
					continue
				}
				m := measurement{Scenario: s.name, Server: name, Run: run + 1}
				if err := o.one(ctx, s, &m); err != nil {
					if ctx.Err() != nil {
						return list, ctx.Err()
					}
					m.Error = err.Error()
				}
				fmt.Fprintf(o.log, "%s %s %d: %.0f of %.0f msg/s, %.2f us, %.2f cores, p50 %.1f ms, p99 %.1f ms, %.0f bytes, closed %d, idle %.1f KB %s\n",
					m.Scenario, m.Server, m.Run, m.PerSecond, m.Offered, m.MicrosPer, m.Cores, m.P50ms, m.P99ms, m.BytesPer, m.Closed, m.IdleKB, m.Error)
				list = append(list, m)
			}
		}
	}
	return list, nil
}

// one starts a server, connects, measures and ends it.
func (o *runOptions) one(ctx context.Context, s scenario, m *measurement) error {
	t, err := find(m.Server)
	if err != nil {
		return err
	}
	child, err := o.spawn(ctx, t, s.tokens)
	if err != nil {
		return err
	}
	defer child.end()
	before, err := residentKB(child.pid)
	if err != nil {
		return err
	}
	c, err := dial(ctx, clientOptions{
		addr: child.addr, protocol: t.protocol, query: t.query, conns: s.conns, tokens: s.tokens, each: s.each,
		loops: o.loops, pid: child.pid, published: child.published,
	})
	if err != nil {
		return err
	}
	defer c.close()
	if s.offered == 0 {
		if err := sleep(ctx, o.warm); err != nil {
			return err
		}
		if err := child.command("gc"); err != nil {
			return err
		}
		if err := sleep(ctx, o.warm); err != nil {
			return err
		}
		after, err := residentKB(child.pid)
		if err != nil {
			return err
		}
		m.IdleKB = float64(after-before) / float64(s.conns)
		m.Closed = c.closed.Load()
		return nil
	}
	if err := child.command(fmt.Sprintf("start %d", s.updates())); err != nil {
		return err
	}
	m.result, err = c.measure(ctx, o.warm, o.window)
	return err
}

// child is a server process.
type child struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	addr  string
	pid   int
	ended chan struct{} // closed when the process is gone
}

func (o *runOptions) spawn(ctx context.Context, t target, tokens int) (*child, error) {
	var cmd *exec.Cmd
	if t.name == "node-ws" {
		cmd = exec.CommandContext(ctx, "node", "--expose-gc", "server.js", fmt.Sprint(tokens))
		cmd.Dir = o.nodeDir
		if _, err := os.Stat(filepath.Join(o.nodeDir, "node_modules", "ws")); err != nil {
			return nil, fmt.Errorf("node-ws: run `npm ci` in %s first", o.nodeDir)
		}
	} else {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		cmd = exec.CommandContext(ctx, self, "server", t.name, "-tokens", fmt.Sprint(tokens))
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// The death signal above is sent when the starting thread ends, so it must
	// not end before the child.
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_, _ = cmd.Process.Wait() // how it ended is its own affair: what counts was measured
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", t.name, err)
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewReader(out), pid: cmd.Process.Pid, ended: ended}
	line, err := c.out.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "listening ") {
		c.end()
		return nil, fmt.Errorf("start %s: said %q", t.name, line)
	}
	c.addr = strings.TrimSpace(strings.TrimPrefix(line, "listening "))
	return c, nil
}

func (c *child) command(line string) error {
	answer, err := c.ask(line)
	if err == nil && answer != "ok" {
		err = fmt.Errorf("tell the server %q: it said %q", line, answer)
	}
	return err
}

func (c *child) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return "", fmt.Errorf("tell the server %q: %w", line, err)
	}
	answer, err := c.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("tell the server %q: %w", line, err)
	}
	return strings.TrimSpace(answer), nil
}

func (c *child) published() (uint64, error) {
	answer, err := c.ask("count")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimPrefix(answer, "ok "), 10, 64)
}

// end closes the server's stdin, which ends it, and kills it if that takes
// long.
func (c *child) end() {
	_ = c.in.Close()
	select {
	case <-c.ended:
	case <-time.After(3 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}
