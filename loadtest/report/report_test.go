package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example is a report with something in every part.
func example() *Report {
	r := &Report{
		Schema: Schema, Title: "example <b>", Version: "v1", Started: time.Unix(1764000000, 0), Command: "swapcast load -c 10", CPUs: 2, Simulated: true,
		Targets: []string{"ws://127.0.0.1:8080/ws"}, Setting: []Setting{{"connections", "10"}},
		Scenarios: []Scenario{
			{
				Name: "streams", Connections: 8, Most: 8, Opened: 9, Failed: 1, Left: 8, Lost: 1, Messages: 1_234_567, Bytes: 4e8,
				Latency: Quantiles{1_234_567, 900, 850, 4000, 120_000, 1_500_000, 12_000_000}, Connect: Quantiles{N: 9, P99: 2500}, First: Quantiles{N: 9, P99: 700},
				Sequence: Sequence{Jumps: 2, Missing: 5},
			},
			{Name: "slow", Connections: 2, Most: 2, Opened: 2, Left: 2, Messages: 40, Sequence: Sequence{MaySkip: true, Jumps: 4, Missing: 80}},
		},
		Hold:      Hold{Seconds: 2, Messages: 1_234_607, PerSecond: 617_303.5, Connections: 10, Latency: Quantiles{1_234_567, 900, 850, 4000, 120_000, 1_500_000, 12_000_000}},
		Gaps:      Gaps{Skipped: 80, Missed: 5, Conflated: 83, Counted: true, Unexplained: 2},
		Server:    &Server{Servers: 1, Cores: 0.5, MicrosPer: 0.81, Coalesced: 3.2, RSSBefore: 1 << 26, RSSHold: 3 << 30, RSSPer: 9000, MostFDs: 30, MaxFDs: 20000, MostRoutines: 44, GCPauses: 0.0012},
		Generator: Generator{Processes: 1, Cores: 0.25, MicrosPer: 0.4, RSS: 1 << 25, RSSPer: 2048},
		Reasons:   []Reason{{"handshake: status 503 overloaded", 1}, {"closed by the server: 4408", 1}},
		Findings:  []Finding{{true, "2 updates are missing that no server says it conflated"}, {false, "80 updates were skipped"}},
	}
	for t := range 5 {
		s := Second{T: t, Phase: "ramp", Connections: 5 * min(t, 2), Messages: uint64(t) * 100_000, Generator: 0.25, Trouble: uint64(t / 4)}
		if t >= 2 {
			s.Phase = "hold"
		}
		if t > 0 {
			s.Latency = Quantiles{N: 5, P50: 800, P95: 4000, P99: int64(t) * 40_000, P999: 1_500_000}
		}
		if t != 3 { // a sample is missing
			s.Server = &Sample{Cores: 0.5, RSS: 3 << 30, Heap: 1 << 30, Goroutines: 44, FDs: 30, GCs: 1, GCPause: 0.0006, Conflated: 20}
		}
		r.Seconds = append(r.Seconds, s)
	}
	return r
}

func TestText(t *testing.T) {
	for name, base := range map[string]*Report{"alone.txt": nil, "baseline.txt": baseline()} {
		var b bytes.Buffer
		if err := example().WriteText(&b, base); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}

// baseline is an earlier run without a server's metrics and with another scenario.
func baseline() *Report {
	r := example()
	r.Server, r.Title = nil, "before"
	r.Hold.Latency.P99, r.Hold.PerSecond = 60_000, 0
	r.Scenarios = append(r.Scenarios[:1:1], Scenario{Name: "churn"})
	for i := range r.Seconds {
		r.Seconds[i].Server = nil
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s has changed (-update rewrites it):\n%s", name, got)
	}
}

// The page is whole, loads nothing, and what servers and users say is text in it.
func TestHTML(t *testing.T) {
	for _, base := range []*Report{nil, baseline()} {
		r := example()
		r.Reasons[0].Text = `<script>alert(1)</script>`
		var b bytes.Buffer
		if err := r.WriteHTML(&b, base); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if outside := regexp.MustCompile(`(?i)<script|<link|<img|<iframe|url\(|@import|\b(src|href)=|NaN|Inf`).FindString(page); outside != "" {
			t.Errorf("the page has %q", outside)
		}
		if plots, tables := strings.Count(page, `<svg viewBox="0 0 640`), strings.Count(page, "<table"); plots != 10 || tables != 6 {
			t.Errorf("%d plots, %d tables", plots, tables)
		}
		for _, element := range []string{"svg", "table", "section", "tr", "td", "span", "text"} {
			begun, ended := strings.Count(page, "<"+element+">")+strings.Count(page, "<"+element+" "), strings.Count(page, "</"+element+">")
			if begun != ended {
				t.Errorf("%d times %s begins, and %d times it ends", begun, element, ended)
			}
		}
		for _, want := range []string{"messages a second", "server GC pauses", "617,304", "120 ms", "example &lt;b&gt;", "failed</span>", "simulated"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if has := strings.Contains(page, "p99, baseline"); has != (base != nil) {
			t.Errorf("baseline in the plots: %v", has)
		}
	}
}

// A run without seconds, or with nothing but holes, has a page too.
func TestHTMLOfNothing(t *testing.T) {
	for _, r := range []*Report{{}, {Server: &Server{}, Seconds: []Second{{T: 0}, {T: 9}}}} {
		var b bytes.Buffer
		if err := r.WriteHTML(&b, nil); err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`NaN|Inf`).MatchString(b.String()) {
			t.Error("a plot has no number")
		}
		if err := r.WriteText(&b, r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(example())
	c, _ := json.Marshal(back)
	if !bytes.Equal(a, c) {
		t.Errorf("%s came back as %s", a, c)
	}
	for _, text := range []string{"", "{}", `{"schema":2}`, "[1]"} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q is no error", text)
		}
	}
}

func TestPath(t *testing.T) {
	same := func(v float64) float64 { return v }
	for want, values := range map[string][]float64{
		"":                               nil,
		"M0.0 5.0h.1L1.0 6.0":            {5, 6},
		"M0.0 5.0h.1M2.0 7.0h.1L3.0 8.0": {5, math.NaN(), 7, 8},
	} {
		if got := path(values, same, same); got != want {
			t.Errorf("%v: %q, want %q", values, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for want, got := range map[string]string{
		"0": whole(0), "999": whole(999), "1,000": whole(1000), "-12,345": whole(-12345), "1,234,568": whole(1234567.8),
		"-": micros(0), "850 µs": micros(850), "4.0 ms": micros(4000), "120 ms": micros(120_000), "12.0 s": micros(12e6),
		"512 B": size(512), "1.5 KiB": size(1536), "2.0 MiB": size(2 << 20), "3.00 GiB": size(3 << 30),
		"1.5 M": short(1.5e6), "20 k": short(20_000), "7": short(7), "10 ms": axisMicros(10_000), "200 s": axisMicros(2e8),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, v := range []float64{0, 0.3, 1, 3, 7, 99, 12345} {
		if s := niceStep(v); s < v || (v > 0 && s > 5*v) {
			t.Errorf("step of %v is %v", v, s)
		}
	}
}
