package swarm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// spawn has another process do the plan's part, and emits what it tells.
func spawn(ctx context.Context, command []string, p *plan, emit func(*tally, usage) error) error {
	if len(command) == 0 {
		return errors.New("no command line for other processes")
	}
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("process: %w", err)
	}
	// A run that is cut short is told so by the end of its input, and then has time to say
	// goodbye. A signal would be its second where a terminal has sent one to all.
	cmd.Cancel = in.Close
	cmd.WaitDelay = 2 * drainFor
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("process: %w", err)
	}
	_, writeErr := in.Write(append(text, '\n')) // and stays open until the process has ended
	lines := bufio.NewReaderSize(out, 1<<20)
	done := false
	for err == nil && !done && writeErr == nil {
		done, err = readTally(lines, emit)
	}
	in.Close()
	waitErr := cmd.Wait()
	switch {
	case done:
		return nil
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("process of connections %d to %d: %w %s", p.From, p.To-1, errors.Join(err, waitErr), clip(complaints.String(), 500))
	default:
		return errors.Join(writeErr, err)
	}
}

// readTally takes one line. done is true at the last one.
func readTally(lines *bufio.Reader, emit func(*tally, usage) error) (done bool, err error) {
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return false, fmt.Errorf("ended early: %w", err)
	}
	var w wireTally
	if err := json.Unmarshal(line, &w); err != nil {
		return false, fmt.Errorf("line: %w", err)
	}
	if w.Failure != "" {
		return false, errors.New(w.Failure)
	}
	if w.Done {
		return true, nil
	}
	t, err := w.decode()
	if err != nil {
		return false, err
	}
	return false, emit(t, w.Usage)
}

// drainFor is how long connections may take to say goodbye at the end.
const drainFor = 3 * time.Second
