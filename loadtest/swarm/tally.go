package swarm

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms run from 1 µs to 2 minutes with three significant digits, in µs.
const (
	histLowest  = 1
	histHighest = 120_000_000
	histDigits  = 3
)

func newHist() *hdrhistogram.Histogram { return hdrhistogram.New(histLowest, histHighest, histDigits) }

// record notes a time in µs; what is out of range counts as the nearest end.
func record(h *hdrhistogram.Histogram, us int64) {
	// Within range nothing can fail.
	_ = h.RecordValue(min(max(us, histLowest), histHighest))
}

// counts are what one scenario did in one second, or in all.
type counts struct {
	Opened   uint64 `json:"opened"`   // handshakes done
	Failed   uint64 `json:"failed"`   // connections that were not made
	Left     uint64 `json:"left"`     // ended as planned
	Lost     uint64 `json:"lost"`     // ended otherwise
	Messages uint64 `json:"messages"` // updates, snapshots apart
	Snapshot uint64 `json:"snapshot"`
	Bytes    uint64 `json:"bytes"` // read off sockets
	Jumps    uint64 `json:"jumps"` // places where seq jumped
	Missing  uint64 `json:"missing"`
	Disorder uint64 `json:"disorder"` // seq that did not grow
	Told     uint64 `json:"told"`     // gap messages of the server
	Invalid  uint64 `json:"invalid"`  // messages that are not what the contract says
	Refused  uint64 `json:"refused"`  // error messages
}

func (c *counts) add(o *counts) {
	c.Opened += o.Opened
	c.Failed += o.Failed
	c.Left += o.Left
	c.Lost += o.Lost
	c.Messages += o.Messages
	c.Snapshot += o.Snapshot
	c.Bytes += o.Bytes
	c.Jumps += o.Jumps
	c.Missing += o.Missing
	c.Disorder += o.Disorder
	c.Told += o.Told
	c.Invalid += o.Invalid
	c.Refused += o.Refused
}

// share is one scenario's part of a tally.
type share struct {
	counts
	Open    int `json:"open"` // connections that were open at the end
	latency *hdrhistogram.Histogram
	connect *hdrhistogram.Histogram // from connect to the handshake's end
	first   *hdrhistogram.Histogram // from there to the first message
}

// tally is a second's account, of a loop, of a process or of all.
type tally struct {
	second  int64 // Unix
	shares  [scenarios]*share
	reasons map[string]uint64 // why connections failed or were lost
}

// maxReasons bounds a tally's reasons: what servers say is not ours.
const maxReasons = 64

func newTally(second int64) *tally { return &tally{second: second, reasons: map[string]uint64{}} }

// of returns the share of a scenario, made where there is none.
func (t *tally) of(s Scenario) *share {
	if t.shares[s] == nil {
		t.shares[s] = &share{latency: newHist(), connect: newHist(), first: newHist()}
	}
	return t.shares[s]
}

func (t *tally) because(reason string, n uint64) {
	if _, known := t.reasons[reason]; !known && len(t.reasons) >= maxReasons {
		reason = "other"
	}
	t.reasons[reason] += n
}

// add adds another tally of the same second, or of a later one to a total.
func (t *tally) add(o *tally) {
	for i, theirs := range o.shares {
		if theirs == nil {
			continue
		}
		ours := t.of(Scenario(i))
		ours.counts.add(&theirs.counts)
		ours.Open += theirs.Open
		// Equal ranges: nothing is dropped.
		ours.latency.Merge(theirs.latency)
		ours.connect.Merge(theirs.connect)
		ours.first.Merge(theirs.first)
	}
	for reason, n := range o.reasons {
		t.because(reason, n)
	}
}

// wireTally is a tally between processes, one JSON line.
type wireTally struct {
	Second  int64                `json:"second"`
	Shares  map[string]wireShare `json:"shares"`
	Reasons map[string]uint64    `json:"reasons,omitempty"`
	Usage   usage                `json:"usage"`
	Done    bool                 `json:"done,omitempty"` // the last line
	Failure string               `json:"failure,omitempty"`
}

type wireShare struct {
	share
	Latency []byte `json:"latency,omitempty"`
	Connect []byte `json:"connect,omitempty"`
	First   []byte `json:"first,omitempty"`
}

// usage is what a process of the generator has used so far.
type usage struct {
	CPU float64 `json:"cpu"` // seconds, user and system
	RSS uint64  `json:"rss"` // bytes
	// Heap is what the Go runtime has taken of the system, bytes.
	Heap uint64 `json:"heap"`
}

func (t *tally) encode(u usage) (*wireTally, error) {
	w := &wireTally{Second: t.second, Shares: map[string]wireShare{}, Reasons: t.reasons, Usage: u}
	for i, s := range t.shares {
		if s == nil {
			continue
		}
		ws := wireShare{share: *s}
		for _, h := range []struct {
			from *hdrhistogram.Histogram
			to   *[]byte
		}{{s.latency, &ws.Latency}, {s.connect, &ws.Connect}, {s.first, &ws.First}} {
			if h.from.TotalCount() == 0 {
				continue
			}
			var err error
			if *h.to, err = h.from.EncodeV2(); err != nil {
				return nil, fmt.Errorf("histogram of %v: %w", Scenario(i), err)
			}
		}
		w.Shares[Scenario(i).String()] = ws
	}
	return w, nil
}

func (w *wireTally) decode() (*tally, error) {
	t := newTally(w.Second)
	for reason, n := range w.Reasons {
		t.because(reason, n)
	}
	for name, ws := range w.Shares {
		s, ok := scenarioOf(name)
		if !ok {
			return nil, fmt.Errorf("no scenario is named %q", name)
		}
		ours := t.of(s)
		ours.counts, ours.Open = ws.counts, ws.Open
		for _, h := range []struct {
			from []byte
			to   *hdrhistogram.Histogram
		}{{ws.Latency, ours.latency}, {ws.Connect, ours.connect}, {ws.First, ours.first}} {
			if len(h.from) == 0 {
				continue
			}
			theirs, err := hdrhistogram.Decode(h.from)
			if err != nil {
				return nil, fmt.Errorf("histogram of %s: %w", name, err)
			}
			if dropped := h.to.Merge(theirs); dropped > 0 {
				return nil, fmt.Errorf("histogram of %s: %d values out of range", name, dropped)
			}
		}
	}
	return t, nil
}
