package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// median of one figure over the good runs of a server in a scenario.
func median(list []measurement, scenario, server string, of func(measurement) float64) (float64, bool) {
	var v []float64
	for _, m := range list {
		if m.Scenario == scenario && m.Server == server && m.Error == "" {
			v = append(v, of(m))
		}
	}
	if len(v) == 0 {
		return 0, false
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2, true
}

// markdown writes one table for each scenario that was run.
func markdown(list []measurement, all []scenario, o runOptions) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s with %s, %d CPUs; medians of %d alternating runs of %s each. `us` is the server's CPU time, user and system, for one delivered message.\n",
		time.Now().UTC().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), o.repeat, o.window)
	if o.quick {
		b.WriteString("\n**A quick run with small numbers: it shows that everything works and measures nothing.**\n")
	}
	for _, s := range all {
		rows := rowsOf(list, s)
		if len(rows) == 0 {
			continue
		}
		title := s.title
		if s.offered > 0 {
			title += fmt.Sprintf(", %d updates/s offered in all", s.offered)
		}
		fmt.Fprintf(&b, "\n### %d connections, %s\n\n", s.conns, title)
		if s.offered == 0 {
			b.WriteString("| server | KB a connection |\n|---|---|\n")
		} else {
			b.WriteString("| server | us | offered/s | delivered/s | cores | p50 ms | p99 ms | closed |\n|---|---|---|---|---|---|---|---|\n")
		}
		for _, r := range rows {
			b.WriteString(r)
		}
	}
	return b.String()
}

func rowsOf(list []measurement, s scenario) []string {
	var rows []string
	for _, name := range s.only {
		get := func(of func(measurement) float64) float64 {
			v, _ := median(list, s.name, name, of)
			return v
		}
		if _, ok := median(list, s.name, name, func(m measurement) float64 { return m.Cores }); !ok {
			for _, m := range list {
				if m.Scenario == s.name && m.Server == name {
					rows = append(rows, fmt.Sprintf("| %s | failed: %s |\n", name, m.Error))
					break
				}
			}
			continue
		}
		if s.offered == 0 {
			rows = append(rows, fmt.Sprintf("| %s | %.1f |\n", name, get(func(m measurement) float64 { return m.IdleKB })))
			continue
		}
		rows = append(rows, fmt.Sprintf("| %s | %.2f | %.0f | %.0f | %.2f | %.1f | %.1f | %.0f |\n", name,
			get(func(m measurement) float64 { return m.MicrosPer }),
			get(func(m measurement) float64 { return m.Offered }),
			get(func(m measurement) float64 { return m.PerSecond }),
			get(func(m measurement) float64 { return m.Cores }),
			get(func(m measurement) float64 { return m.P50ms }),
			get(func(m measurement) float64 { return m.P99ms }),
			get(func(m measurement) float64 { return float64(m.Closed) })))
	}
	return rows
}
