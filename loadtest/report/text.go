package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteText writes the report for a terminal. base, if not nil, is an earlier one that
// stands beside it.
func (r *Report) WriteText(to io.Writer, base *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Title, strings.Join(r.Targets, " "))
	if r.Simulated {
		b.WriteString("the server's market is simulated\n")
	}
	b.WriteString("\n")
	for _, t := range r.tables(base) {
		t.text(&b)
	}
	if len(r.Reasons) > 0 {
		b.WriteString("why connections failed or were lost\n")
		for _, reason := range r.Reasons {
			fmt.Fprintf(&b, "  %10d  %s\n", reason.N, reason.Text)
		}
		b.WriteString("\n")
	}
	for _, f := range r.Findings {
		mark := "  ok  "
		if f.Bad {
			mark = "  BAD "
		}
		b.WriteString(mark + f.Text + "\n")
	}
	if r.Failed() {
		b.WriteString("FAILED\n")
	} else {
		b.WriteString("passed\n")
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// table is one table of the report, in both forms. The first column is a name.
type table struct {
	Title string
	Head  []string
	Rows  [][]string
}

func (t *table) text(b *strings.Builder) {
	if len(t.Rows) == 0 {
		return
	}
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	b.WriteString(t.Title + "\n")
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 0 {
				b.WriteString("  " + cell + pad)
			} else {
				b.WriteString("  " + pad + cell)
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (r *Report) tables(base *Report) []table {
	return []table{r.mainTable(base), r.latencyTable(base), r.connectionTable(), r.sequenceTable()}
}

// figure is one line of the main table. of is false where it is not known.
type figure struct {
	name  string
	of    func(*Report) (float64, bool)
	write func(float64) string
}

// figures are what two runs are compared by.
func figures() []figure {
	hold := func(f func(*Hold) float64) func(*Report) (float64, bool) {
		return func(r *Report) (float64, bool) { return f(&r.Hold), r.Hold.Seconds > 0 }
	}
	quantile := func(f func(*Quantiles) int64) func(*Report) (float64, bool) {
		return func(r *Report) (float64, bool) { return float64(f(&r.Hold.Latency)), r.Hold.Latency.N > 0 }
	}
	server := func(f func(*Server) float64) func(*Report) (float64, bool) {
		return func(r *Report) (float64, bool) {
			if r.Server == nil {
				return 0, false
			}
			return f(r.Server), true
		}
	}
	return []figure{
		{"connections", hold(func(h *Hold) float64 { return float64(h.Connections) }), whole},
		{"messages a second", hold(func(h *Hold) float64 { return h.PerSecond }), whole},
		{"latency p50", quantile(func(q *Quantiles) int64 { return q.P50 }), micros},
		{"latency p95", quantile(func(q *Quantiles) int64 { return q.P95 }), micros},
		{"latency p99", quantile(func(q *Quantiles) int64 { return q.P99 }), micros},
		{"latency p99.9", quantile(func(q *Quantiles) int64 { return q.P999 }), micros},
		{"latency most", quantile(func(q *Quantiles) int64 { return q.Max }), micros},
		{"updates missing, not explained", func(r *Report) (float64, bool) { return float64(r.Gaps.Unexplained), true }, whole},
		{"updates missing, conflated by the server", func(r *Report) (float64, bool) {
			return float64(r.Gaps.Missed - min(r.Gaps.Missed, r.Gaps.Unexplained)), true
		}, whole},
		{"updates skipped as asked for", func(r *Report) (float64, bool) { return float64(r.Gaps.Skipped), true }, whole},
		{"server CPU, cores", server(func(s *Server) float64 { return s.Cores }), two},
		{"server CPU a message, µs", server(func(s *Server) float64 { return s.MicrosPer }), two},
		{"server messages a write", server(func(s *Server) float64 { return s.Coalesced }), two},
		{"server memory", server(func(s *Server) float64 { return float64(s.RSSHold) }), size},
		{"server memory a connection", server(func(s *Server) float64 { return s.RSSPer }), size},
		{"server goroutines, most", server(func(s *Server) float64 { return float64(s.MostRoutines) }), whole},
		{"server open files, most", server(func(s *Server) float64 { return float64(s.MostFDs) }), whole},
		{"server GC pauses, in all", server(func(s *Server) float64 { return s.GCPauses * 1e6 }), micros},
		{"generator CPU, cores", func(r *Report) (float64, bool) { return r.Generator.Cores, true }, two},
		{"generator CPU a message, µs", func(r *Report) (float64, bool) { return r.Generator.MicrosPer, true }, two},
		{"generator memory a connection", func(r *Report) (float64, bool) { return r.Generator.RSSPer, true }, size},
	}
}

func (r *Report) mainTable(base *Report) table {
	t := table{Title: "while everybody was connected (" + seconds(r.Hold.Seconds) + ")", Head: []string{"", "this run"}}
	if base != nil {
		t.Head = append(t.Head, "baseline", "ratio")
	}
	for _, f := range figures() {
		value, known := f.of(r)
		if !known {
			continue
		}
		row := []string{f.name, f.write(value)}
		if base != nil {
			before, knownBefore := f.of(base)
			switch {
			case !knownBefore:
				row = append(row, "-", "-")
			case before == 0:
				row = append(row, f.write(before), "-")
			default:
				row = append(row, f.write(before), fmt.Sprintf("%.2f", value/before))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (r *Report) latencyTable(base *Report) table {
	t := table{Title: "latency by scenario, while everybody was connected", Head: []string{"", "messages", "p50", "p95", "p99", "p99.9", "most"}}
	add := func(name string, s *Scenario) {
		q := s.Latency
		t.Rows = append(t.Rows, []string{name, whole(float64(s.Messages)), micros(float64(q.P50)), micros(float64(q.P95)), micros(float64(q.P99)), micros(float64(q.P999)), micros(float64(q.Max))})
	}
	for i := range r.Scenarios {
		s := &r.Scenarios[i]
		add(s.Name, s)
		if base == nil {
			continue
		}
		for j := range base.Scenarios {
			if before := &base.Scenarios[j]; before.Name == s.Name {
				add(s.Name+", baseline", before)
			}
		}
	}
	return t
}

func (r *Report) connectionTable() table {
	t := table{Title: "connections, over the whole run", Head: []string{"", "planned", "most", "opened", "failed", "left", "lost", "connect p99", "first message p99"}}
	for _, s := range r.Scenarios {
		t.Rows = append(t.Rows, []string{
			s.Name, strconv.Itoa(s.Connections), strconv.Itoa(s.Most), whole(float64(s.Opened)), whole(float64(s.Failed)),
			whole(float64(s.Left)), whole(float64(s.Lost)), micros(float64(s.Connect.P99)), micros(float64(s.First.P99)),
		})
	}
	return t
}

func (r *Report) sequenceTable() table {
	t := table{Title: "seq, over the whole run", Head: []string{"", "may skip", "jumps", "missing", "twice or out of order", "told as gaps"}}
	for _, s := range r.Scenarios {
		may := "no"
		if s.Sequence.MaySkip {
			may = "yes"
		}
		t.Rows = append(t.Rows, []string{
			s.Name, may, whole(float64(s.Sequence.Jumps)), whole(float64(s.Sequence.Missing)),
			whole(float64(s.Sequence.Disorder)), whole(float64(s.Sequence.Told)),
		})
	}
	return t
}

// Count writes a number with its thousands apart.
func Count(n uint64) string { return whole(float64(n)) }

// whole is Count for any number.
func whole(v float64) string {
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func two(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// micros writes microseconds in a unit that fits.
func micros(v float64) string {
	switch {
	case v == 0:
		return "-"
	case v < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64) + " µs"
	case v < 100_000:
		return strconv.FormatFloat(v/1e3, 'f', 1, 64) + " ms"
	case v < 10_000_000:
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + " ms"
	default:
		return strconv.FormatFloat(v/1e6, 'f', 1, 64) + " s"
	}
}

// size writes bytes in a unit that fits.
func size(v float64) string {
	switch {
	case v < 1<<10:
		return strconv.FormatFloat(v, 'f', 0, 64) + " B"
	case v < 1<<20:
		return strconv.FormatFloat(v/(1<<10), 'f', 1, 64) + " KiB"
	case v < 1<<30:
		return strconv.FormatFloat(v/(1<<20), 'f', 1, 64) + " MiB"
	default:
		return strconv.FormatFloat(v/(1<<30), 'f', 2, 64) + " GiB"
	}
}

func seconds(v float64) string {
	return time.Duration(v * float64(time.Second)).Round(time.Second).String()
}
