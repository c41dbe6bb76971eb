package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// ours is what the others are compared with: the conflating ones with ours that
// conflates.
func ours(server string) string {
	if t, err := find(server); err == nil && t.conflates() {
		return "swapcast-100ms"
	}
	return "swapcast"
}

func medianOf(v []float64) (float64, bool) {
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}

// results are the measurements of one table.
type results []measurement

// of are the good rounds of a server in a scenario.
func (r results) of(scenario, server string) results {
	var good results
	for _, m := range r {
		if m.Scenario == scenario && m.Server == server && m.Error == "" {
			good = append(good, m)
		}
	}
	return good
}

// median of one figure.
func (r results) median(of func(measurement) float64) (float64, bool) {
	var v []float64
	for _, m := range r {
		v = append(v, of(m))
	}
	return medianOf(v)
}

// cost is what a message costs, or where there are none a connection.
func cost(m measurement) float64 {
	if m.IdleKB != 0 {
		return m.IdleKB
	}
	return m.MicrosPer
}

// ratio is the median, over the rounds, of a server's cost over ours in the same
// round.
func (r results) ratio(scenario, server string) (float64, bool) {
	base := r.of(scenario, ours(server))
	var v []float64
	for _, m := range r.of(scenario, server) {
		for _, b := range base {
			if b.Round == m.Round && cost(b) > 0 && cost(m) > 0 {
				v = append(v, cost(m)/cost(b))
			}
		}
	}
	return medianOf(v)
}

// times writes a ratio, or that there is none.
func times(ratio float64, ok bool) string {
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.2f", ratio)
}

func pinning(cpus string) string {
	if cpus == "" {
		return "not pinned"
	}
	return "pinned to CPU " + cpus
}

// markdown writes the ratios, and then one table for each scenario that was run.
func markdown(list results, plan []scenario, o runOptions, load string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s with %s, %d CPUs, load average %s. Server %s, client %s. %d rounds of %s, in which the servers take turns; all figures are medians. "+
		"`us` is the server's CPU time, user and system, for one delivered message; `x` that over swapcast's in the same round.\n",
		time.Now().UTC().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), load, pinning(o.serverCPUs), pinning(o.clientCPUs), o.repeat, o.window)
	switch o.mode {
	case quick:
		b.WriteString("\n**A quick run with small numbers: it shows that everything works and measures nothing.**\n")
	case short:
		b.WriteString("\n**A short run: one round of a moment each. It shows the order of things, no more.**\n")
	}
	b.WriteString(list.ratios(plan))
	for _, s := range plan {
		title := s.title
		if s.offered > 0 {
			title += fmt.Sprintf(", %d messages/s offered in all", s.offered)
		}
		fmt.Fprintf(&b, "\n### %s: %d connections, %s\n\n", s.name, s.conns, title)
		if s.offered == 0 {
			b.WriteString("| server | KB a connection | x |\n|---|---|---|\n")
		} else {
			b.WriteString("| server | us | x | offered/s | delivered/s | cores | delivered per core-second | p50 ms | p99 ms | closed |\n|---|---|---|---|---|---|---|---|---|---|\n")
		}
		for _, name := range s.servers {
			b.WriteString(list.row(s, name))
		}
	}
	return b.String()
}

// ratios is the table of what each server costs over what ours does.
func (r results) ratios(plan []scenario) string {
	var b strings.Builder
	b.WriteString("\n### Cost of a message (idle: memory of a connection) over swapcast's\n\n| server |")
	var names []string
	for _, s := range plan {
		fmt.Fprintf(&b, " %s |", s.name)
		for _, name := range s.servers {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(plan)) + "\n")
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, s := range plan {
			fmt.Fprintf(&b, " %s |", times(r.ratio(s.name, name)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r results) row(s scenario, name string) string {
	good := r.of(s.name, name)
	if len(good) == 0 {
		for _, m := range r {
			if m.Scenario == s.name && m.Server == name {
				return fmt.Sprintf("| %s | failed: %s |\n", name, strings.ReplaceAll(m.Error, "\n", " "))
			}
		}
		return fmt.Sprintf("| %s | not run |\n", name)
	}
	get := func(of func(measurement) float64) float64 {
		v, _ := good.median(of)
		return v
	}
	x := times(r.ratio(s.name, name))
	if s.offered == 0 {
		return fmt.Sprintf("| %s | %.1f | %s |\n", name, get(func(m measurement) float64 { return m.IdleKB }), x)
	}
	return fmt.Sprintf("| %s | %.2f | %s | %.0f | %.0f | %.2f | %.0f | %.1f | %.1f | %.0f |\n", name,
		get(func(m measurement) float64 { return m.MicrosPer }), x,
		get(func(m measurement) float64 { return m.Offered }),
		get(func(m measurement) float64 { return m.PerSecond }),
		get(func(m measurement) float64 { return m.Cores }),
		get(func(m measurement) float64 { return m.PerSecond / max(m.Cores, 0.01) }),
		get(func(m measurement) float64 { return m.P50ms }),
		get(func(m measurement) float64 { return m.P99ms }),
		get(func(m measurement) float64 { return float64(m.Closed) }))
}
