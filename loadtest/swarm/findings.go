package swarm

import (
	"fmt"

	"github.com/swapcast/swapcast/loadtest/report"
)

// findings says what the figures mean: first what fails the run, then what limits it.
func (r *Runner) findings(rep *report.Report) []report.Finding {
	var list []report.Finding
	add := func(bad bool, format string, args ...any) {
		list = append(list, report.Finding{Bad: bad, Text: fmt.Sprintf(format, args...)})
	}
	var failed, lost, invalid, refused uint64
	for _, s := range rep.Scenarios {
		failed += s.Failed
		if s.Name != Slow.String() { // a server may close who reads too slowly
			lost += s.Lost
		}
		invalid += s.Invalid
		refused += s.Refused
	}
	most := 0
	for _, s := range rep.Seconds {
		most = max(most, s.Connections)
	}
	if rep.Hold.Seconds == 0 {
		add(true, "the run ended before everybody was connected: there are no figures of the hold")
	}
	// Who churns is away for a moment.
	if want := r.plan.Connections; most < want && !r.plan.Mix.has(Churn) {
		add(true, "%s of %s connections were open at one time at most", report.Count(uint64(most)), report.Count(uint64(want)))
	}
	if failed > 0 {
		add(true, "%s attempts to connect failed (see the reasons)", report.Count(failed))
	}
	if lost > 0 {
		add(true, "%s connections were lost (see the reasons)", report.Count(lost))
	}
	if invalid+refused > 0 {
		add(true, "%s messages were not what the contract says, %s were errors", report.Count(invalid), report.Count(refused))
	}
	if g := rep.Gaps; g.Disorder > 0 {
		add(true, "%s messages came twice or out of order", report.Count(g.Disorder))
	}
	r.gapFindings(rep, add)
	if rep.Hold.Messages == 0 && rep.Hold.Seconds > 0 {
		add(true, "not one message came")
	}
	if s := rep.Storm; s != nil {
		if s.Back {
			add(false, "storm: all were back %.0f s after they had left", s.After)
		} else {
			add(true, "storm: not all came back")
		}
	}
	r.limitFindings(rep, add)
	return list
}

func (r *Runner) gapFindings(rep *report.Report, add func(bool, string, ...any)) {
	g := rep.Gaps
	switch {
	case g.Unexplained > 0 && g.Counted:
		add(true, "%s updates are missing that no server says it conflated", report.Count(g.Unexplained))
	case g.Unexplained > 0:
		add(true, "%s updates are missing; whether the server conflated them shows only with --admin", report.Count(g.Unexplained))
	case g.Missed > 0:
		add(false, "%s updates are missing, all conflated by the server for connections that it could not write to fast enough", report.Count(g.Missed))
	}
	if g.Skipped > 0 {
		add(false, "%s updates were skipped for a newer one, as window_ms or slow reading asks for", report.Count(g.Skipped))
	}
}

// busy is the share of a machine's CPU time from which it explains latency.
const busy = 0.9

func (r *Runner) limitFindings(rep *report.Report, add func(bool, string, ...any)) {
	gen, cpus := rep.Generator.Cores, float64(rep.CPUs)
	server := 0.0
	if rep.Server != nil {
		server = rep.Server.Cores
	}
	switch {
	case !r.plan.Loopback:
	case (gen+server)/cpus > busy && gen > server:
		add(false, "limit: this machine's CPU, and the generator takes more of it (%.2f of %d cores) than the server (%.2f): latency says little of the server", gen, rep.CPUs, server)
	case (gen+server)/cpus > busy:
		add(false, "limit: this machine's CPU (server %.2f, generator %.2f of %d cores)", server, gen, rep.CPUs)
	}
	if each := gen / float64(rep.Generator.Processes*r.plan.Loops); each > busy {
		add(false, "limit: the generator's loops are busy all the time (%.2f cores a loop): give more --loops or --processes", each)
	}
	if s := rep.Server; s != nil && s.MaxFDs > 0 && float64(s.MostFDs) > busy*float64(s.MaxFDs)*float64(s.Servers) {
		add(false, "limit: the server has %d files open of %d", s.MostFDs, s.MaxFDs)
	}
}
