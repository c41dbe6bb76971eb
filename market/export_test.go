package market

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gagliardetto/solana-go"
)

// CurveListed tells whether the table of curves knows a DEX.
func CurveListed(dex string) bool {
	_, listed := curveOf(dex)
	return listed
}

// JournalEntries is how much the journal holds: entries, and records of all logs.
func (m *Market) JournalEntries() (entries, records int) {
	j, to := m.journal, m.marks()
	n := to.mints - j.mints.from + to.causes - j.causes.from + to.olds - j.olds.from + to.quotes - j.quotes.from + to.pools - j.pools.from + to.trades - j.trades.from +
		to.books - j.books.from + to.openings - j.openings.from + to.pushes - j.pushes.from + to.comings - j.comings.from +
		to.mintUse - m.mintUse.moves.from + to.poolUse - m.poolUse.moves.from +
		to.tradeUse - m.tradeUse.moves.from + to.candleUse - m.candleUse.moves.from
	return int(j.entries.to - j.entries.from), int(n)
}

// Dump is the whole state of a market in words, a line for each object: all
// that any later swap or reader can see, the order of lists and the places in
// rings too; not the journal and the metrics.
func (m *Market) Dump() []string {
	lines := []string{fmt.Sprintf("facts %+v", m.facts)}
	add := func(format string, a ...any) { lines = append(lines, fmt.Sprintf(format, a...)) }
	byKey := func(a, b solana.PublicKey) int { return slices.Compare(a[:], b[:]) }
	for i, ms := range m.order {
		add("order %d %s", i, ms.mint)
		if ms.order != i || m.mints[ms.mint] != ms {
			add("INCONSISTENT mint %s at %d, says %d", ms.mint, i, ms.order)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.mints), byKey) {
		lines = append(lines, dumpMint(m.mints[k])...)
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.pools), byKey) {
		for p := m.pools[k]; p != nil; p = p.next {
			add("pool %s %s %s %v %s", k, p.program, p.dex, p.curve, poolName(p))
			add("  state %+v", p.state)
			if m.mints[p.base.mint] != p.base || m.mints[p.quote.mint] != p.quote {
				add("INCONSISTENT pool %s has mints that are gone", k)
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.tokens), byKey) {
		add("token %+v", m.tokens[k])
	}
	mintName := func(ms *mintState) string { return ms.mint.String() }
	lines = append(lines, dumpList("mintUse", &m.mintUse, mintName)...)
	lines = append(lines, dumpList("tradeUse", &m.tradeUse, mintName)...)
	lines = append(lines, dumpList("candleUse", &m.candleUse, mintName)...)
	return append(lines, dumpList("poolUse", &m.poolUse, poolName)...)
}

func poolName(p *pool) string {
	return p.address.String() + "/" + p.base.mint.String() + "/" + p.quote.mint.String()
}

func dumpMint(ms *mintState) []string {
	lines := []string{
		fmt.Sprintf("mint %s rank %d decimals %d %v", ms.mint, ms.rank, ms.decimals, ms.decimalsKnown),
		fmt.Sprintf("  state %+v", ms.state),
		fmt.Sprintf("  cause %+v", ms.cause),
		fmt.Sprintf("  quote %+v", ms.quote),
	}
	for i, p := range ms.pools {
		lines = append(lines, fmt.Sprintf("  pool %d %s", i, poolName(p)))
	}
	lines = append(lines, fmt.Sprintf("  trades next %d full %v", ms.trades.next, ms.trades.full))
	for i := range ms.trades.buf {
		lines = append(lines, fmt.Sprintf("  trade %d %+v", i, ms.trades.buf[i]))
	}
	if k := ms.candles; k != nil {
		lines = append(lines, fmt.Sprintf("  book %+v", k.bookFacts))
		for i := range k.open {
			lines = append(lines, fmt.Sprintf("  candles %d open %+v past %d %+v", i, k.open[i], k.past[i].next, k.past[i].bars))
		}
	}
	return lines
}

func dumpList[T any](name string, l *lru[T], say func(*T) string) []string {
	var b strings.Builder
	var prev *T
	for v := l.head; v != nil; v = l.at(v).next {
		if l.at(v).prev != prev {
			b.WriteString(" INCONSISTENT")
		}
		b.WriteString(" " + say(v))
		prev = v
	}
	if l.tail != prev {
		b.WriteString(" INCONSISTENT tail")
	}
	return []string{name + b.String()}
}
