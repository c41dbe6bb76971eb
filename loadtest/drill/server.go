package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is `swapcast serve` in a process of its own.
type server struct {
	process *exec.Cmd
	ended   chan error
	page    string // http://host:port
	admin   string
	log     *os.File
}

// startServer starts the server and waits until it serves. Its log goes to a file.
func startServer(ctx context.Context, binary, logPath string, args ...string) (*server, error) {
	logFile, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	s := &server{ended: make(chan error, 1), log: logFile}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-format", "json"}, args...)
	s.process = exec.CommandContext(context.WithoutCancel(ctx), binary, args...)
	stderr, err := s.process.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	serving := make(chan struct{})
	go func() {
		s.follow(stderr, serving)
		s.ended <- s.process.Wait()
	}()
	select {
	case <-serving:
		return s, nil
	case err := <-s.ended:
		return nil, fmt.Errorf("the server ended before it served, see %s: %w", logPath, err)
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), s.stop())
	}
}

// follow copies the log and finds the addresses in it.
func (s *server) follow(stderr io.Reader, serving chan<- struct{}) {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintf(s.log, "%s\n", lines.Bytes())
		if serving == nil {
			continue
		}
		var line struct{ Msg, Page, Admin string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			s.page, s.admin = strings.TrimSuffix(line.Page, "/"), strings.TrimSuffix(line.Admin, "/")
			close(serving)
			serving = nil
		}
	}
}

// stop ends the server as an operator would, and says how it ended.
func (s *server) stop() error {
	defer s.log.Close()
	select {
	case err := <-s.ended:
		return fmt.Errorf("the server ended by itself: %w", err)
	default:
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		_ = s.process.Process.Kill()
		return errors.New("the server did not end within 20 s of SIGTERM")
	}
}

// status is what the drill reads of /v1/status.
type status struct {
	State         string `json:"state"`
	Slot          uint64 `json:"slot"`
	ConfirmedSlot uint64 `json:"confirmedSlot"`
	Checkpoint    uint64 `json:"checkpoint"`
	LagMS         *int64 `json:"lagMs"`
	Gaps          []struct {
		FromSlot uint64 `json:"fromSlot"`
		ToSlot   uint64 `json:"toSlot"`
		Reason   string `json:"reason"`
	} `json:"gaps"`
	Sources []struct {
		Endpoint      string  `json:"endpoint"`
		Connected     bool    `json:"connected"`
		Reason        string  `json:"reason"`
		Reconnects    uint64  `json:"reconnects"`
		First         uint64  `json:"first"`
		Behind        uint64  `json:"behind"`
		BehindMS      float64 `json:"behindMs"`
		Disagreements uint64  `json:"disagreements"`
	} `json:"sources"`
}

func (s *server) status(ctx context.Context) (st status, err error) {
	body, err := get(ctx, s.page+"/v1/status")
	if err == nil {
		err = json.Unmarshal(body, &st)
	}
	return st, err
}

// metrics reads the counters that are not 0, by name and labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	body, err := get(ctx, s.admin+"/metrics")
	if err != nil {
		return nil, err
	}
	out := make(map[string]float64)
	for line := range strings.Lines(string(body)) {
		name, value, ok := cutLast(strings.TrimSpace(line))
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil && n != 0 && !strings.HasPrefix(name, "#") {
			out[name] = n
		}
	}
	return out, nil
}

func cutLast(line string) (before, after string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, err
}
