package cachetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startWithin is how long a server may take to answer.
const startWithin = 30 * time.Second

// Server is one redis-server.
type Server struct {
	Addr string // host:port, the same after a restart

	// static after construction
	t    testing.TB
	port int
	bus  int // port of the cluster's bus; 0: no cluster
	dir  string
	setup

	mu  sync.Mutex // guards the rest
	cmd *exec.Cmd  // nil while stopped
}

// setup is what kind of server it is.
type setup struct {
	cluster bool
	monitor string   // configuration of a sentinel; empty: it is none
	args    []string // more of redis-server's own
}

// StartRedis starts a server. args are more of redis-server's own, such as
// "--save", "1 1".
func StartRedis(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, setup{args: args})
}

// start starts a server on free ports; another may have taken them in between,
// so it tries again.
func start(t testing.TB, kind setup) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not installed: make test-deps")
		}
		t.Skip("redis-server is not installed: make test-deps")
	}
	var err error
	for range 5 {
		s := &Server{t: t, dir: t.TempDir(), setup: kind}
		if s.port, err = freePort(t.Context()); err != nil {
			continue
		}
		if s.cluster {
			if s.bus, err = freePort(t.Context()); err != nil {
				continue
			}
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if err = s.start(); err == nil {
			t.Cleanup(s.Stop)
			return s
		}
		s.Stop()
	}
	t.Fatalf("redis-server: %v", err)
	return nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // a TCP listener's
}

// Start starts a server that was stopped, with what it saved, if anything.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.start(); err != nil {
		s.t.Fatalf("redis-server: %v", err)
	}
}

func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	args, err := s.commandLine()
	if err != nil {
		return err
	}
	// The context of the test ends before its cleanups; Stop ends the process.
	s.cmd = exec.CommandContext(context.Background(), "redis-server", args...) //nolint:gosec // a test's own arguments
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("does not answer: %w\n%s", err, log)
		}
	}
}

// commandLine is the server's. A sentinel has a file instead, which it rewrites.
func (s *Server) commandLine() ([]string, error) {
	log := filepath.Join(s.dir, "log")
	if s.monitor != "" {
		file := filepath.Join(s.dir, "sentinel.conf")
		if _, err := os.Stat(file); err == nil {
			return []string{file, "--sentinel"}, nil // with what it knew
		}
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %q\nlogfile %q\n%s", s.port, s.dir, log, s.monitor)
		return []string{file, "--sentinel"}, os.WriteFile(file, []byte(text), 0o600)
	}
	args := []string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", log,
	}
	if s.cluster {
		args = append(args, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
			"--cluster-announce-ip", "127.0.0.1", "--cluster-port", strconv.Itoa(s.bus))
	}
	return append(args, s.args...), nil
}

// pause waits; false where ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// Stop kills the server, as a crash does: what it has not saved is lost.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Restart is a crash and a start.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// Pause has the server answer nobody for d.
func (s *Server) Pause(d time.Duration) {
	s.t.Helper()
	s.do("CLIENT", "PAUSE", d.Milliseconds(), "ALL")
}

// KillPubSub cuts the connections of all subscribers and returns how many there
// were.
func (s *Server) KillPubSub() int64 {
	s.t.Helper()
	n, _ := s.do("CLIENT", "KILL", "TYPE", "pubsub").(int64)
	return n
}

// KillClients cuts all connections and returns how many there were.
func (s *Server) KillClients() int64 {
	s.t.Helper()
	n, _ := s.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").(int64)
	return n + s.KillPubSub()
}

// do runs a command on a connection of its own.
func (s *Server) do(args ...any) any {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer client.Close()
	answer, err := client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("redis %v: %v", args, err)
	}
	return answer
}

// Client returns a client as the cache wants it. It is closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	return newClient(t, s.Addr)
}

func newClient(t testing.TB, addr string) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}
