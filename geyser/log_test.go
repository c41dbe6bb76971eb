package geyser

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// lockedBuffer is a log that a test can read and wait on.
type lockedBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // signalled on each write once waitFor is called
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more != nil {
		select {
		case l.more <- struct{}{}:
		default:
		}
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, nil))
}

// waitFor waits until text has been logged n times.
func (l *lockedBuffer) waitFor(t *testing.T, text string, n int) {
	t.Helper()
	l.mu.Lock()
	if l.more == nil {
		l.more = make(chan struct{}, 1)
	}
	l.mu.Unlock()
	limit := time.After(10 * time.Second)
	for strings.Count(l.String(), text) < n {
		select {
		case <-l.more:
		case <-limit:
			t.Fatalf("%q was not logged %d times: %s", text, n, l.String())
		}
	}
}

// value reads a counter or a gauge.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}
