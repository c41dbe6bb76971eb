package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// report writes the table, and the first few differences. It returns how many
// there are.
func (d *drill) report(w io.Writer) int {
	c := d.truth.counts
	fmt.Fprintf(w, "The chain (simulated): %d swaps in %d transactions and %d slots, %d skipped, %d forks, dead slots and losing banks, %d transactions seen twice; played in %s, %.0f swaps/s\n",
		c.swaps, c.transactions, c.slots, c.skipped, c.losers, c.again, d.took.Round(time.Second), float64(c.swaps)/d.took.Seconds())
	fmt.Fprintf(w, "Faults of the chain: %s\n", faultText(d.upstream.chainFaults))
	for i, s := range d.upstream.servers {
		fmt.Fprintf(w, "Faults of endpoint %d: %s\n", i, faultText(s.Stats().Faults))
	}
	fmt.Fprintf(w, "Flags of the server: %s\n\n", strings.Join(append(d.flags(), d.serve...), " "))
	d.table(w)
	d.tellServer(w)
	total := d.problems.total()
	if total == 0 {
		fmt.Fprintln(w, "\nNothing lost, nothing twice: every client's book is the truth.")
		return 0
	}
	fmt.Fprintf(w, "\n%d DIFFERENCES, the first of each kind:\n", total)
	for _, line := range d.problems.examples() {
		fmt.Fprintln(w, "  "+line)
	}
	return total
}

func (d *drill) table(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value func(i int, b *book, v *verdict) any) {
		fmt.Fprint(t, name)
		for i, c := range d.clients {
			fmt.Fprintf(t, "\t%v", value(i, c.book, &d.verdicts[i]))
		}
		fmt.Fprintln(t)
	}
	row("client", func(_ int, b *book, _ *verdict) any { return b.name })
	row("trades told", func(_ int, b *book, _ *verdict) any { return b.counts.trades })
	row("  true in the end", func(int, *book, *verdict) any { return len(d.truth.trades) })
	row("  lost", func(_ int, _ *book, v *verdict) any { return v.lost })
	row("  told twice", func(_ int, b *book, _ *verdict) any { return d.of(b, "told twice") })
	row("  not as they were", func(_ int, _ *book, v *verdict) any { return v.wrong + v.moved })
	row("  never were and stand", func(_ int, _ *book, v *verdict) any { return v.alive })
	row("trades retracted", func(_ int, b *book, _ *verdict) any { return b.counts.retracted })
	row("  of them lies, told again truly", func(_ int, b *book, _ *verdict) any { return b.counts.corrected })
	row("  of them known from a bank that lost, told again", func(_ int, b *book, _ *verdict) any { return b.counts.reborn })
	row("  never told", func(_ int, b *book, _ *verdict) any { return d.of(b, "retracted, never told") })
	row("  true all the same", func(_ int, b *book, _ *verdict) any { return d.of(b, "retracted, but true") })
	row("prices told", func(_ int, b *book, _ *verdict) any { return b.counts.prices })
	row("prices and candles skipped for newer ones", func(_ int, b *book, _ *verdict) any { return b.counts.skipped })
	row("seq holes that were not told", func(_ int, b *book, _ *verdict) any { return d.of(b, "seq goes back") + d.of(b, "holes in trades") })
	row("final candles compared", func(_ int, _ *book, v *verdict) any { return v.candles })
	row("  lost", func(_ int, _ *book, v *verdict) any { return v.candlesLost })
	row("  not as they were", func(_ int, _ *book, v *verdict) any { return v.candlesWrong })
	row("  had over HTTP after a gap", func(_ int, b *book, _ *verdict) any { return b.counts.repaired })
	row("balances compared", func(_ int, _ *book, v *verdict) any { return v.balances })
	row("  wrong", func(_ int, _ *book, v *verdict) any { return v.balancesWrong })
	row("gaps told, but of candles", func(_ int, b *book, _ *verdict) any { return d.of(b, "gaps told") })
	row("connections", func(i int, _ *book, _ *verdict) any { return d.clients[i].sessions.Load() })
	row("  cut", func(_ int, b *book, _ *verdict) any { return b.counts.cuts })
	_ = t.Flush()
	for _, c := range d.clients {
		if len(c.book.gaps) > 0 {
			fmt.Fprintf(w, "gaps of %s: %v\n", c.name, c.book.gaps)
		}
		if len(c.book.ends) > 0 {
			fmt.Fprintf(w, "connections of %s ended: %v\n", c.name, c.book.ends)
		}
	}
}

// of counts the problems of a kind that one client met.
func (d *drill) of(b *book, kind string) int {
	return d.problems.by(kind, b.name)
}

// tellServer says what the server went through.
func (d *drill) tellServer(w io.Writer) {
	over, last := d.truth.ended()
	fmt.Fprintf(w, "\nThe server: confirmed to %d, checkpoint %d, the chain ends with %d (%v); %d gaps\n", d.status.ConfirmedSlot, d.status.Checkpoint, last, over, len(d.status.Gaps))
	var skipped uint64
	for _, c := range d.clients {
		skipped += c.book.counts.skipped
	}
	told := d.metrics["swapcast_ws_conflated_total"]
	for _, channel := range []string{"prices", "candles"} { // dropped once for all clients of a shard
		told += float64(len(d.clients)) * d.metrics[`swapcast_ws_dropped_total{channel="`+channel+`",reason="shard_full"}`]
	}
	if float64(skipped) > told {
		d.problems.add("skipped and not counted", "clients miss %d prices and candles, the server counts %.0f", skipped, told)
	}
	if n := len(d.status.Gaps); n > 0 {
		d.problems.add("gaps of the server", "%v", d.status.Gaps)
	}
	for _, s := range d.status.Sources {
		fmt.Fprintf(w, "  %s: first %d, behind %d (by %.1f ms), disagreements %d, reconnects %d: %s\n", s.Endpoint, s.First, s.Behind, s.BehindMS, s.Disagreements, s.Reconnects, d.reasons(s.Endpoint))
	}
	for _, prefix := range []string{
		"swapcast_geyser_resumes_total", "swapcast_ledger_retracted_total", "swapcast_ledger_refused_total", "swapcast_ledger_late_total",
		"swapcast_ledger_unproved_slots_total", "swapcast_ledger_disputed_total", "swapcast_ledger_disagreements_total", "swapcast_ledger_gap_slots_total", "swapcast_ledger_missing_slots_total",
		"swapcast_backfill_", "swapcast_rpc_requests_total", "swapcast_ws_dropped_total", "swapcast_ws_deferred_total", "swapcast_ws_conflated_total", "swapcast_ws_closed_total", "swapcast_ws_replayed_total",
		"swapcast_market_ignored_total", "swapcast_market_journal",
	} {
		for _, name := range slices.Sorted(maps.Keys(d.metrics)) {
			if strings.HasPrefix(name, prefix) {
				fmt.Fprintf(w, "  %s %.0f\n", name, d.metrics[name])
			}
		}
	}
}

// reasons are why the streams of an endpoint ended, with counts.
func (d *drill) reasons(endpoint string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(d.metrics)) {
		if rest, ok := strings.CutPrefix(name, `swapcast_geyser_reconnects_total{endpoint="`+endpoint+`",reason="`); ok {
			out = append(out, fmt.Sprintf("%s %.0f", strings.TrimSuffix(rest, `"}`), d.metrics[name]))
		}
	}
	return strings.Join(out, ", ")
}

func faultText(counts map[faults.Kind]uint64) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, fmt.Sprintf("%s %d", k, counts[k]))
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}
