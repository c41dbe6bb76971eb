package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/loadtest/swarm"
)

// loadProgress shows how far a load test is: a bar that is drawn anew each second on a
// terminal, a line each five seconds elsewhere. One goroutine calls it.
type loadProgress struct {
	to       io.Writer
	terminal bool
	total    float64 // seconds
	drawn    int     // columns of the bar's line
}

func newLoadProgress(to io.Writer, o swarm.Options) *loadProgress {
	return &loadProgress{to: to, terminal: isTerminal(to), total: (o.Ramp + o.Hold).Seconds()}
}

// isTerminal reports whether somebody watches: a character device that is not /dev/null.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	at, err := f.Stat()
	if err != nil || at.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(at, null)
}

const barWidth = 24

func (p *loadProgress) show(s report.Second) {
	const every = 5
	if !p.terminal && s.T%every != 0 {
		return
	}
	text := fmt.Sprintf("%-4s %4s  %d connections  %d messages/s  p50 %s  p99 %s",
		s.Phase, time.Duration(s.T)*time.Second, s.Connections, s.Messages, milliseconds(s.Latency.P50), milliseconds(s.Latency.P99))
	if s.Server != nil {
		text += fmt.Sprintf("  server %.2f cores, %d MiB", s.Server.Cores, s.Server.RSS>>20)
	}
	if s.Trouble > 0 || s.Missing > 0 {
		text += fmt.Sprintf("  TROUBLE %d, missing %d", s.Trouble, s.Missing)
	}
	if !p.terminal {
		fmt.Fprintln(p.to, text)
		return
	}
	done := min(barWidth, int(float64(s.T+1)/p.total*barWidth))
	text = "[" + strings.Repeat("#", done) + strings.Repeat(".", barWidth-done) + "] " + text
	fmt.Fprintf(p.to, "\r%s%s", text, strings.Repeat(" ", max(0, p.drawn-len(text))))
	p.drawn = len(text)
}

func (p *loadProgress) end() {
	if p.drawn > 0 {
		fmt.Fprintln(p.to)
	}
}

func milliseconds(us int64) string { return fmt.Sprintf("%.1f ms", float64(us)/1e3) }
