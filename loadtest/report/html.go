package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

//go:embed report.html
var page string

// WriteHTML writes the report as one page that loads nothing. base, if not nil, is an
// earlier one: its figures stand beside these, its curves are dashed.
func (r *Report) WriteHTML(to io.Writer, base *Report) error {
	t, err := template.New("report").Parse(page)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	data := struct {
		*Report
		Base     *Report
		Where    string
		When     string
		Tables   []table
		Plots    []plot
		Verdict  string
		Settings []Setting
	}{r, base, strings.Join(r.Targets, " "), r.Started.UTC().Format("2006-01-02 15:04:05 UTC"), r.tables(base), r.plots(base), "passed", r.Setting}
	if r.Failed() {
		data.Verdict = "failed"
	}
	if err := t.Execute(to, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// plots are the run's pictures; the servers' where their metrics were read.
func (r *Report) plots(base *Report) []plot {
	marks := r.marks()
	add := func(title string, write func(float64) string, log bool, curves ...curve) plot {
		p := plot{Title: title, log: log, write: write, marks: marks}
		for i, c := range curves {
			p.Lines = append(p.Lines, line{c.name, fmt.Sprintf("s%d", i), c.values(r)})
			if base != nil {
				p.Lines = append(p.Lines, line{c.name + ", baseline", fmt.Sprintf("b%d", i), c.values(base)})
			}
		}
		return p
	}
	latency := func(name string, f func(*Quantiles) int64) curve {
		return curve{name, func(s *Second) float64 {
			if s.Latency.N == 0 {
				return math.NaN()
			}
			return float64(f(&s.Latency))
		}}
	}
	plots := []plot{
		add("connections", whole, false, curve{"open", func(s *Second) float64 { return float64(s.Connections) }}),
		add("messages a second", short, false, curve{"received", func(s *Second) float64 { return float64(s.Messages) }}),
		add("latency", axisMicros, true,
			latency("p50", func(q *Quantiles) int64 { return q.P50 }), latency("p95", func(q *Quantiles) int64 { return q.P95 }),
			latency("p99", func(q *Quantiles) int64 { return q.P99 }), latency("p99.9", func(q *Quantiles) int64 { return q.P999 })),
		add("failed or lost connections, missing updates", short, false,
			curve{"connections", func(s *Second) float64 { return float64(s.Trouble) }}, curve{"updates", func(s *Second) float64 { return float64(s.Missing) }}),
	}
	generator := curve{"generator", func(s *Second) float64 { return s.Generator }}
	if r.Server == nil {
		return append(plots, add("CPU, cores", two, false, generator))
	}
	of := func(name string, f func(*Sample) float64) curve {
		return curve{name, func(s *Second) float64 {
			if s.Server == nil {
				return math.NaN()
			}
			return f(s.Server)
		}}
	}
	return append(
		plots,
		add("CPU, cores", two, false, of("server", func(s *Sample) float64 { return s.Cores }), generator),
		add("server memory", mebibytes, false, of("resident", func(s *Sample) float64 { return float64(s.RSS) / (1 << 20) }), of("Go heap in use", func(s *Sample) float64 { return float64(s.Heap) / (1 << 20) })),
		add("server goroutines and open files", short, false, of("goroutines", func(s *Sample) float64 { return float64(s.Goroutines) }), of("files", func(s *Sample) float64 { return float64(s.FDs) })),
		add("server garbage collections a second", two, false, of("collections", func(s *Sample) float64 { return s.GCs })),
		add("server GC pauses, time in a second", axisMicros, false, of("pauses", func(s *Sample) float64 { return s.GCPause * 1e6 })),
		add("server, conflated a second", short, false, of("conflated", func(s *Sample) float64 { return s.Conflated })),
	)
}

// curve is a value of each second.
type curve struct {
	name string
	of   func(*Second) float64
}

func (c curve) values(r *Report) []float64 {
	var values []float64
	for i := range r.Seconds {
		s := &r.Seconds[i]
		for len(values) < s.T { // a second that nobody told
			values = append(values, math.NaN())
		}
		values = append(values, c.of(s))
	}
	return values
}

// marks are where a phase begins.
func (r *Report) marks() []mark {
	var list []mark
	last := ""
	for _, s := range r.Seconds {
		if s.Phase != last && last != "" {
			list = append(list, mark{s.T, s.Phase})
		}
		last = s.Phase
	}
	return list
}

// short writes a count in few characters.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return trim(v/1e6) + " M"
	case v >= 1e3:
		return trim(v/1e3) + " k"
	default:
		return trim(v)
	}
}

func mebibytes(v float64) string { return whole(v) + " MiB" }

func trim(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}

// axisMicros is micros for an axis, where 0 is 0.
func axisMicros(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 1e3:
		return trim(v) + " µs"
	case v < 1e6:
		return trim(v/1e3) + " ms"
	default:
		return trim(v/1e6) + " s"
	}
}
