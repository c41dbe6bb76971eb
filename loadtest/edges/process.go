package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a program that the drill runs, kills and starts again.
type process struct {
	// static after construction
	name   string
	binary string
	args   []string
	dir    string
	// served is what a line of its log is when it serves; nil: it says nothing of use.
	served func(line []byte) bool

	cmd   *exec.Cmd // nil while it does not run
	ended chan struct{}
}

// start starts it and waits until it serves. Its output goes to a file.
func (p *process) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(p.dir, p.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.binary, p.args...) //nolint:gosec // the drill's own arguments
	cmd.Dir = p.dir
	output, input, err := os.Pipe()
	if err != nil {
		return errors.Join(err, log.Close())
	}
	cmd.Stdout, cmd.Stderr = input, input
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", p.name, err), input.Close(), output.Close(), log.Close())
	}
	_ = input.Close() // the child has it
	p.cmd, p.ended = cmd, make(chan struct{})
	serving := make(chan struct{})
	go p.follow(output, log, serving)
	go func(ended chan<- struct{}) {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(log, "ended: %v\n", err)
		}
	}(p.ended)
	if p.served == nil {
		return nil
	}
	select {
	case <-serving:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s ended before it served: see its log in %s", p.name, p.dir)
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
		return fmt.Errorf("%s does not serve: see its log in %s", p.name, p.dir)
	}
}

// follow copies the log until the process and its children have ended.
func (p *process) follow(output, log *os.File, serving chan<- struct{}) {
	defer func() { _, _ = output.Close(), log.Close() }()
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadBytes('\n')
		_, _ = log.Write(line)
		if serving != nil && p.served != nil && p.served(line) {
			close(serving)
			serving = nil
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintf(log, "log: %v\n", err)
			}
			return
		}
	}
}

// signal sends a signal.
func (p *process) signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// kill ends it as a crash does, and waits.
func (p *process) kill() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	p.cmd = nil
	return nil
}

// leave asks it to end, and waits.
func (p *process) leave(patience time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.ended:
		p.cmd = nil
		return nil
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", p.name)
	}
}

// serves knows swapcast's line that says so.
func serves(line []byte) bool {
	var l struct{ Msg string }
	return json.Unmarshal(line, &l) == nil && (l.Msg == "serving" || strings.HasPrefix(l.Msg, "playing"))
}

// freePort is one that nobody has now.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// listening waits until somebody listens.
func listening(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody listens at %s: %w", address, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
