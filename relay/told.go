package relay

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// told is what the log says that another ingest told of an asset's trades, for who
// takes over: what both have seen is told once. Of each transaction in a slot it
// has what was told, in order: 1+index of a trade, 0 for a retract.
//
// A transaction that was taken back and told again in the same slot, of whose
// beginning the new leader knows no more, cannot be told from its end: that happens
// where a slot flaps for longer than Options.Hold.
//
// An own update takes the first of its like away, and is not told; one without its
// like is. What came before a retract is over with it.
type told map[string][]byte

const retracted = 0

// Names in the log: of a trade "T SLOT SIGNATURE INDEX", of a retract "R SLOT
// SIGNATURE...".
func tradeName(t *swapcast.Trade) string {
	return "T " + txName(t.Slot, t.Signature) + " " + strconv.Itoa(t.Index)
}

func retractName(r *swapcast.Retract) string {
	var b strings.Builder
	b.WriteString("R " + strconv.FormatUint(r.Slot, 10))
	for _, s := range r.Signatures {
		b.WriteString(" " + s.String())
	}
	return b.String()
}

func txName(slot uint64, s solana.Signature) string {
	return strconv.FormatUint(slot, 10) + " " + s.String()
}

// readTold reads the names of a log, the newest first.
func readTold(names []string) told {
	t := make(told)
	for _, name := range slices.Backward(names) {
		fields := strings.Split(name, " ")
		switch {
		case len(fields) == 4 && fields[0] == "T":
			index, err := strconv.Atoi(fields[3])
			if err != nil || index < 0 || index > 254 {
				continue // it is told again rather than not
			}
			key := fields[1] + " " + fields[2]
			t[key] = append(t[key], byte(index+1))
		case len(fields) > 2 && fields[0] == "R":
			for _, signature := range fields[2:] {
				key := fields[1] + " " + signature
				t[key] = append(t[key], retracted)
			}
		}
	}
	return t
}

// trade reports whether a trade was told already.
func (t told) trade(x *swapcast.Trade) bool {
	if len(t) == 0 || x.Index > 254 {
		return false
	}
	key := txName(x.Slot, x.Signature)
	events := t[key]
	i := bytes.IndexByte(events, byte(x.Index+1))
	if i < 0 {
		return false
	}
	begin := bytes.LastIndexByte(events[:i], retracted) + 1
	rest := append([]byte(nil), events[begin:i]...)
	t.set(key, append(rest, events[i+1:]...))
	return true
}

// retract returns those of a retract's transactions that are to be told.
func (t told) retract(r *swapcast.Retract) []solana.Signature {
	if len(t) == 0 {
		return r.Signatures
	}
	var news []solana.Signature
	for _, s := range r.Signatures {
		key := txName(r.Slot, s)
		events := t[key]
		i := bytes.IndexByte(events, retracted)
		if i < 0 {
			news = append(news, s)
			i = len(events) - 1
		}
		t.set(key, events[i+1:])
	}
	return news
}

func (t told) set(key string, events []byte) {
	if len(events) == 0 {
		delete(t, key)
	} else {
		t[key] = events
	}
}
