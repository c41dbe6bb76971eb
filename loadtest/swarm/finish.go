package swarm

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/swapcast/swapcast/loadtest/report"
)

// report puts together what was found out.
func (r *Runner) report() *report.Report {
	p := r.plan
	rep := &report.Report{
		Schema: report.Schema, Title: p.TestID, Version: r.env.Version, Started: p.Start, Command: r.env.Command,
		Targets: p.URLs, CPUs: runtime.NumCPU(), Simulated: r.simulated, Setting: p.setting(), Reasons: reasonsOf(r.all), Seconds: r.seconds,
	}
	r.addScenarios(rep)
	r.addHold(rep)
	r.addGaps(rep)
	r.addServer(rep)
	r.addStorm(rep)
	rep.Generator = r.generator(&rep.Hold)
	rep.Findings = r.findings(rep)
	return rep
}

func (p *plan) setting() []report.Setting {
	list := []report.Setting{
		{Name: "connections", Value: strconv.Itoa(p.Connections)},
		{Name: "mix", Value: p.Mix.String()},
		{Name: "ramp, hold", Value: p.Ramp.String() + ", " + p.Hold.String()},
		{Name: "tokens", Value: strconv.Itoa(len(p.Assets))},
		{Name: "tokens each (multi, slow)", Value: fmt.Sprintf("%d, Zipf %v", p.TokensEach, p.Zipf)},
		{Name: "window_ms, batch", Value: fmt.Sprintf("%d, %v", p.WindowMS, p.Batch)},
		{Name: "processes, loops each", Value: fmt.Sprintf("%d, %d", p.Processes, p.Loops)},
		{Name: "local addresses", Value: strconv.Itoa(p.sources())},
	}
	if p.Mix.has(Churn) {
		list = append(list, report.Setting{Name: "session (churn)", Value: p.Session.String()})
	}
	if p.Storm > 0 {
		list = append(list, report.Setting{Name: "storm", Value: p.Storm.String()})
	}
	return list
}

// String is the mix as --mix takes it.
func (m Mix) String() string {
	var parts []string
	for s, w := range m {
		if w > 0 {
			parts = append(parts, Scenario(s).String()+"="+strconv.FormatFloat(w, 'g', -1, 64))
		}
	}
	return strings.Join(parts, ",")
}

func (r *Runner) addScenarios(rep *report.Report) {
	planned := r.plan.planned()
	for i := range r.all.shares {
		s := Scenario(i)
		if planned[s] == 0 {
			continue
		}
		all, hold := r.all.of(s), r.hold.of(s)
		rep.Scenarios = append(rep.Scenarios, report.Scenario{
			Name: s.String(), Connections: planned[s], Most: r.most[s],
			Opened: all.Opened, Failed: all.Failed, Left: all.Left, Lost: all.Lost, Invalid: all.Invalid, Refused: all.Refused,
			Sequence: report.Sequence{MaySkip: r.maySkip(s), Jumps: all.Jumps, Missing: all.Missing, Disorder: all.Disorder, Told: all.Told},
			Messages: hold.Messages, Bytes: hold.Bytes, Latency: quantiles(hold.latency),
			Connect: quantiles(all.connect), First: quantiles(all.first),
		})
	}
}

func (r *Runner) addHold(rep *report.Report) {
	fast := newHist()
	for i, s := range r.hold.shares {
		if s == nil {
			continue
		}
		rep.Hold.Messages += s.Messages
		rep.Hold.Bytes += s.Bytes
		if Scenario(i) != Slow {
			fast.Merge(s.latency)
		}
	}
	for _, s := range r.seconds {
		if s.Phase == "hold" {
			rep.Hold.Seconds++
			rep.Hold.Connections = s.Connections
		}
	}
	if rep.Hold.Seconds > 0 {
		rep.Hold.PerSecond = float64(rep.Hold.Messages) / rep.Hold.Seconds
	}
	rep.Hold.Latency = quantiles(fast)
}

// addGaps explains what was missed by what the servers say that they conflated. Trades
// and balances never are: of those that are missing, nothing explains any.
func (r *Runner) addGaps(rep *report.Report) {
	g := &rep.Gaps
	kept := uint64(0)
	for i, s := range r.all.shares {
		if s == nil {
			continue
		}
		g.Disorder += s.Disorder
		if r.maySkip(Scenario(i)) {
			g.Skipped += s.Missing
		} else {
			g.Missed += s.Missing
		}
		if !Scenario(i).windowed() {
			kept += s.Missing
		}
	}
	g.Unexplained = g.Missed
	if r.scraper == nil {
		return
	}
	g.Counted = true
	g.Conflated = uint64(max(0, r.server.last.conflated-r.server.first.conflated))
	prices := g.Missed + g.Skipped - kept
	g.Unexplained = kept + prices - min(prices, g.Conflated)
}

func (r *Runner) addServer(rep *report.Report) {
	if r.scraper == nil {
		return
	}
	from, to := &r.server.from, &r.server.to
	s := &report.Server{
		Servers: len(r.plan.Admin), RSSBefore: uint64(r.server.first.rss), MaxFDs: uint64(r.server.first.maxFDs),
		GCPauses: to.gcPause - from.gcPause, Conflated: rep.Gaps.Conflated, ClosedByCodes: closes(r.server.first.closed, r.server.last.closed),
	}
	if took := to.at.Sub(from.at).Seconds(); took > 0 {
		s.Cores = (to.cpu - from.cpu) / took
		if rep.Hold.PerSecond > 0 {
			s.MicrosPer = s.Cores * 1e6 / rep.Hold.PerSecond
		}
	}
	if writes := to.writes - from.writes; writes > 0 {
		s.Coalesced = (to.sent - from.sent) / writes
	}
	for _, row := range rep.Seconds {
		if row.Server == nil {
			continue
		}
		s.MostFDs, s.MostRoutines = max(s.MostFDs, row.Server.FDs), max(s.MostRoutines, row.Server.Goroutines)
		if row.Phase == "hold" {
			s.RSSHold = max(s.RSSHold, row.Server.RSS)
		}
	}
	if s.RSSHold > s.RSSBefore && rep.Hold.Connections > 0 {
		s.RSSPer = float64(s.RSSHold-s.RSSBefore) / float64(rep.Hold.Connections)
	}
	rep.Server = s
}

// closes says how many connections ended with which code between two samples.
func closes(before, after map[string]float64) string {
	var parts []string
	for _, code := range slices.Sorted(maps.Keys(after)) {
		if n := after[code] - before[code]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s: %.0f", code, n))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *Runner) addStorm(rep *report.Report) {
	if r.plan.Storm == 0 {
		return
	}
	s := &report.Storm{Within: r.plan.Storm.Seconds(), Back: r.stormBack != 0}
	if s.Back {
		s.After = time.Unix(r.stormBack+1, 0).Sub(r.plan.storm()).Seconds()
	}
	for _, row := range r.seconds {
		if row.Server != nil && row.T >= int(r.plan.storm().Sub(r.plan.Start).Seconds()) {
			s.PeakRSS = max(s.PeakRSS, row.Server.RSS)
		}
	}
	rep.Storm = s
}

func (r *Runner) generator(h *report.Hold) report.Generator {
	g := report.Generator{Processes: r.plan.Processes, RSS: r.own.rss}
	if h.Seconds > 0 {
		g.Cores = (r.own.to - r.own.from) / h.Seconds
	}
	if h.Messages > 0 {
		g.MicrosPer = (r.own.to - r.own.from) * 1e6 / float64(h.Messages)
	}
	most := 0
	for _, s := range r.seconds {
		most = max(most, s.Connections)
	}
	if most > 0 {
		g.RSSPer = max(0, float64(r.own.rss)-float64(r.own.rss0)) / float64(most)
		g.HeapPer = max(0, float64(r.own.heap)-float64(r.own.heap0)) / float64(most)
	}
	return g
}
