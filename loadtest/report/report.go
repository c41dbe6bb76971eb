package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Schema is the version of the JSON form.
const Schema = 1

// Report is one run. Times are in microseconds unless a name says otherwise, sizes in
// bytes.
type Report struct {
	Schema    int        `json:"schema"`
	Title     string     `json:"title"`
	Version   string     `json:"version"` // of the generator
	Started   time.Time  `json:"started"`
	Command   string     `json:"command"`
	Targets   []string   `json:"targets"`
	CPUs      int        `json:"cpus"`
	Simulated bool       `json:"simulated"` // the server says that its market is no live chain
	Setting   []Setting  `json:"setting"`
	Scenarios []Scenario `json:"scenarios"`
	Hold      Hold       `json:"hold"`
	Gaps      Gaps       `json:"gaps"`
	Storm     *Storm     `json:"storm,omitempty"`
	Server    *Server    `json:"server,omitempty"` // nil where no /metrics were read
	Generator Generator  `json:"generator"`
	Reasons   []Reason   `json:"reasons"`
	Seconds   []Second   `json:"seconds"`
	Findings  []Finding  `json:"findings"`
}

// Setting is one of the run's parameters, in words.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Quantiles are of one histogram. N is 0 where nothing was measured.
type Quantiles struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	P50  int64   `json:"p50"`
	P95  int64   `json:"p95"`
	P99  int64   `json:"p99"`
	P999 int64   `json:"p999"`
	Max  int64   `json:"max"`
}

// Scenario is what one scenario's connections did.
type Scenario struct {
	Name        string `json:"name"`
	Connections int    `json:"connections"` // planned
	Most        int    `json:"most"`        // open at one time

	// Over the whole run.
	Opened  uint64 `json:"opened"`
	Failed  uint64 `json:"failed"`
	Left    uint64 `json:"left"`
	Lost    uint64 `json:"lost"`
	Invalid uint64 `json:"invalid"`
	Refused uint64 `json:"refused"`

	Sequence Sequence `json:"sequence"`

	// While everybody was connected.
	Messages uint64    `json:"messages"`
	Bytes    uint64    `json:"bytes"`
	Latency  Quantiles `json:"latency"`

	// Over the whole run.
	Connect Quantiles `json:"connect"` // connect to 101
	First   Quantiles `json:"first"`   // 101 to the first message
}

// Sequence is what seq said, over the whole run.
type Sequence struct {
	MaySkip  bool   `json:"maySkip"` // a window, or slow on purpose
	Jumps    uint64 `json:"jumps"`
	Missing  uint64 `json:"missing"`
	Disorder uint64 `json:"disorder"`
	Told     uint64 `json:"told"` // gap messages
}

// Hold is the time in which everybody was connected, all scenarios together.
type Hold struct {
	Seconds   float64 `json:"seconds"`
	Messages  uint64  `json:"messages"`
	PerSecond float64 `json:"perSecond"`
	Bytes     uint64  `json:"bytes"`
	// Latency is that of all scenarios but slow readers.
	Latency     Quantiles `json:"latency"`
	Connections int       `json:"connections"` // open at its end
}

// Gaps are the seqs that connections missed, over the whole run.
type Gaps struct {
	Skipped     uint64 `json:"skipped"`     // where the scenario asked for it
	Missed      uint64 `json:"missed"`      // where it did not
	Conflated   uint64 `json:"conflated"`   // what the servers counted
	Counted     bool   `json:"counted"`     // the servers' counters were read
	Unexplained uint64 `json:"unexplained"` // Missed and Skipped less Conflated, trades and balances without; without counters Missed
	Disorder    uint64 `json:"disorder"`
}

// Storm is what became of everybody's leaving at once.
type Storm struct {
	Within  float64 `json:"within"`  // seconds, in which they were to return
	Back    bool    `json:"back"`    // all were there again before the run's end
	After   float64 `json:"after"`   // seconds until then
	PeakRSS uint64  `json:"peakRss"` // of the servers, from then on
}

// Server is what all servers' /metrics said together.
type Server struct {
	Servers int `json:"servers"`
	// While everybody was connected.
	Cores     float64 `json:"cores"`     // CPU seconds a second
	MicrosPer float64 `json:"microsPer"` // CPU microseconds for each message that the generator received
	Coalesced float64 `json:"coalesced"` // messages a write
	// Resident memory before the ramp, and while everybody was connected.
	RSSBefore     uint64  `json:"rssBefore"`
	RSSHold       uint64  `json:"rssHold"` // the largest
	RSSPer        float64 `json:"rssPer"`  // growth for each connection
	MostFDs       uint64  `json:"mostFds"`
	MaxFDs        uint64  `json:"maxFds"`
	MostRoutines  uint64  `json:"mostRoutines"`
	GCPauses      float64 `json:"gcPauses"` // seconds in all, over the hold
	Conflated     uint64  `json:"conflated"`
	ClosedByCodes string  `json:"closedByCodes,omitempty"`
}

// Generator is what the load generator itself took.
type Generator struct {
	Processes int     `json:"processes"`
	Cores     float64 `json:"cores"` // over the hold
	MicrosPer float64 `json:"microsPer"`
	RSS       uint64  `json:"rss"`     // the largest, of all processes
	RSSPer    float64 `json:"rssPer"`  // growth for each connection
	HeapPer   float64 `json:"heapPer"` // what the Go runtime took of that
}

// Reason is why connections failed or were lost.
type Reason struct {
	Text string `json:"text"`
	N    uint64 `json:"n"`
}

// Second is one second of the run.
type Second struct {
	T           int       `json:"t"`     // since the ramp began
	Phase       string    `json:"phase"` // ramp, hold, end
	Connections int       `json:"connections"`
	Messages    uint64    `json:"messages"`
	Latency     Quantiles `json:"latency"` // all scenarios but slow readers
	Trouble     uint64    `json:"trouble"` // connections that failed or were lost
	Missing     uint64    `json:"missing"`
	Generator   float64   `json:"generator"` // cores
	Server      *Sample   `json:"server,omitempty"`
}

// Sample is one second of the servers, all together.
type Sample struct {
	Cores       float64 `json:"cores"`
	RSS         uint64  `json:"rss"`
	Heap        uint64  `json:"heap"`
	Goroutines  uint64  `json:"goroutines"`
	FDs         uint64  `json:"fds"`
	GCs         float64 `json:"gcs"`     // collections in this second
	GCPause     float64 `json:"gcPause"` // seconds of them
	Connections uint64  `json:"connections"`
	Sent        float64 `json:"sent"` // messages in this second
	Conflated   float64 `json:"conflated"`
}

// Finding is what the run shows. Bad ones fail it.
type Finding struct {
	Bad  bool   `json:"bad"`
	Text string `json:"text"`
}

// Failed reports whether any finding is bad.
func (r *Report) Failed() bool {
	for _, f := range r.Findings {
		if f.Bad {
			return true
		}
	}
	return false
}

// Read reads the JSON form.
func Read(from io.Reader) (*Report, error) {
	var r Report
	if err := json.NewDecoder(from).Decode(&r); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("report: schema %d, this version reads %d", r.Schema, Schema)
	}
	return &r, nil
}

// WriteJSON writes the JSON form.
func (r *Report) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", " ")
	return e.Encode(r)
}
