package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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

type runOptions struct {
	mode         mode
	repeat       int
	loops        int
	warm, window time.Duration
	dir          string // of the servers' sources
	bin          string // of their programs
	serverCPUs   string // as taskset has them; empty: any
	clientCPUs   string
	log          io.Writer
}

// measurement is one run of one server in one scenario.
type measurement struct {
	Scenario string `json:"scenario"`
	Server   string `json:"server"`
	Round    int    `json:"round"`
	result
	IdleKB float64 `json:"idleKBPerConnection,omitempty"`
	Error  string  `json:"error,omitempty"`
}

func runTable(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	o := runOptions{log: os.Stderr}
	name := fs.String("mode", "full", "full: about 10 minutes. short: real sizes, one short round, under 2 minutes. quick: small numbers, shows that everything works")
	fs.IntVar(&o.repeat, "repeat", 0, "rounds, in which the servers take turns; the table has medians. 0: as the mode has it")
	fs.IntVar(&o.loops, "loops", 1, "epoll loops of the client")
	fs.DurationVar(&o.warm, "warm", 0, "time before each window; 0: as the mode has it")
	fs.DurationVar(&o.window, "window", 0, "measured time of each run; 0: as the mode has it")
	fs.StringVar(&o.dir, "dir", "servers", "folder of the servers' sources")
	fs.StringVar(&o.bin, "bin", "bin", "folder that their programs are built into")
	fs.StringVar(&o.serverCPUs, "server-cpus", pinned(0), "CPUs of the servers, as taskset -c has them; empty: any")
	fs.StringVar(&o.clientCPUs, "client-cpus", pinned(1), "CPUs of the client; empty: any")
	servers := fs.String("servers", "", "only these, with commas between; see compare list")
	wanted := fs.String("scenarios", "", "only these, with commas between: one-50k,one-300k,one-max,hundred-50k,ten-each,idle")
	outPath := fs.String("out", "", "file for the Markdown table; standard output where empty")
	rawPath := fs.String("raw", "", "file for every single measurement, a JSON line each")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := o.setMode(*name); err != nil {
		return err
	}
	plan, err := o.plan(split(*servers), split(*wanted))
	if err != nil {
		return err
	}
	if err := o.prepare(ctx, plan); err != nil {
		return err
	}
	before := loadAverage()
	list, stopped := o.all(ctx, plan)
	if *rawPath != "" {
		if err := writeRaw(*rawPath, list); err != nil {
			return err
		}
	}
	table := markdown(list, plan, o, fmt.Sprintf("%s before, %s after", before, loadAverage()))
	if *outPath == "" {
		_, err = io.WriteString(out, table)
	} else {
		err = os.WriteFile(*outPath, []byte(table), 0o644)
	}
	return errors.Join(stopped, err)
}

// pinned is the CPU that a process is pinned to by itself, where there is more than
// one.
func pinned(cpu int) string {
	if runtime.NumCPU() < 2 {
		return ""
	}
	return strconv.Itoa(cpu)
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
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

// prepare does what can fail before anything is measured: enough open files, every
// program built, the client on its own CPUs.
func (o *runOptions) prepare(ctx context.Context, plan []scenario) error {
	most := 0
	for _, s := range plan {
		most = max(most, s.conns)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err == nil && files.Cur < uint64(most)+200 {
		return fmt.Errorf("%d files may be open and %d are needed: ulimit -n %d first", files.Cur, most+200, most+200)
	}
	if o.serverCPUs+o.clientCPUs != "" {
		if _, err := exec.LookPath("taskset"); err != nil {
			return fmt.Errorf("taskset is not there (util-linux); without it, -server-cpus= -client-cpus=: %w", err)
		}
	}
	var dirs []string
	for _, s := range plan {
		for _, name := range s.servers {
			t, err := find(name)
			if err != nil {
				return err
			}
			if !slices.Contains(dirs, t.dir) {
				dirs = append(dirs, t.dir)
			}
		}
	}
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return err
	}
	o.bin = bin
	for _, dir := range dirs {
		if err := o.build(ctx, dir); err != nil {
			return err
		}
	}
	return o.pin(ctx)
}

// build builds a server's program, each of a module of its own; npm fetches
// the library of the one for Node.js.
func (o *runOptions) build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(o.bin, dir), ".")
	if dir == nodeDir {
		if _, err := os.Stat(filepath.Join(o.dir, dir, "node_modules", "ws")); err == nil {
			return nil
		}
		cmd = exec.CommandContext(ctx, "npm", "ci", "--no-audit", "--no-fund", "--silent")
	}
	cmd.Dir = filepath.Join(o.dir, dir)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", dir, err, text)
	}
	return nil
}

// pin moves this process to its CPUs: all of its threads, and those to come.
func (o *runOptions) pin(ctx context.Context) error {
	if o.clientCPUs == "" {
		return nil
	}
	text, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", o.clientCPUs, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pin the client to CPUs %s: %w\n%s", o.clientCPUs, err, text)
	}
	return nil
}

// all runs every scenario. Within one the servers take turns, so that a busy
// minute of the machine falls on all of them, and each round begins with another.
func (o *runOptions) all(ctx context.Context, plan []scenario) ([]measurement, error) {
	var list []measurement
	for _, s := range plan {
		for round := range s.rounds(o.repeat) {
			for i := range s.servers {
				m := measurement{Scenario: s.name, Server: s.servers[(i+round)%len(s.servers)], Round: round + 1}
				if err := o.one(ctx, s, &m); err != nil {
					if ctx.Err() != nil {
						return list, ctx.Err()
					}
					m.Error = err.Error()
				}
				fmt.Fprintf(o.log, "%s %s %d: %.0f of %.0f msg/s, %.2f us, %.2f cores, p50 %.1f ms, p99 %.1f ms, %.0f bytes, closed %d, idle %.1f KB %s\n",
					m.Scenario, m.Server, m.Round, m.PerSecond, m.Offered, m.MicrosPer, m.Cores, m.P50ms, m.P99ms, m.BytesPer, m.Closed, m.IdleKB, m.Error)
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
	args := []string{filepath.Join(o.bin, t.dir), t.way, "-tokens", strconv.Itoa(tokens)}
	if t.dir == nodeDir {
		args = []string{"node", "--expose-gc", "server.js", strconv.Itoa(tokens)}
	}
	if o.serverCPUs != "" {
		args = append([]string{"taskset", "-c", o.serverCPUs}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	if t.dir == nodeDir {
		cmd.Dir = filepath.Join(o.dir, nodeDir)
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
