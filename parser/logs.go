package parser

import (
	"encoding/base64"
	"strings"

	"github.com/swapcast/swapcast"
)

// logIndex finds the log lines that a DEX itself wrote. Some programs only log
// their events; logs may be cut off, so nothing but extras comes from them.
//
// A line belongs to the program on top of the call stack that the runtime's own
// lines show. Programs cannot write those ("Program log: " or "Program data: "
// stands before whatever they write), so one cannot speak for another.
type logIndex struct {
	ready bool
	lines []logLine
	stack []logFrame

	text []byte // scratch of decoding
	data []byte
}

type logLine struct {
	which int    // number of the DEX
	nth   uint32 // which of its invocations wrote it
	at    int    // position in the logs
}

type logFrame struct {
	which int // -1: no DEX that logs
	nth   uint32
}

const (
	logProgram = "Program "
	logData    = "Program data: "
	logRay     = "Program log: ray_log: "

	logTruncated = "Log truncated"
)

// index reads the logs once a transaction.
func (l *logIndex) index(tx *swapcast.Transaction, list []dex) {
	l.ready = true
	l.lines, l.stack = l.lines[:0], l.stack[:0]
	var calls [maxKeys]uint32
	for at, line := range tx.Logs {
		if line == logTruncated {
			return // shorter lines may follow, but their place is lost
		}
		if !strings.HasPrefix(line, logProgram) {
			continue
		}
		switch rest := line[len(logProgram):]; {
		case strings.HasPrefix(rest, "log: "), strings.HasPrefix(rest, "data: "):
			if n := len(l.stack); n > 0 && l.stack[n-1].which >= 0 &&
				(strings.HasPrefix(line, logData) || strings.HasPrefix(line, logRay)) {
				f := l.stack[n-1]
				l.lines = append(l.lines, logLine{which: f.which, nth: f.nth, at: at})
			}
		case strings.HasPrefix(rest, "return: "), strings.HasSuffix(rest, " units"):
		case strings.HasSuffix(rest, "]"):
			id, _, ok := strings.Cut(rest, " invoke [")
			if !ok {
				continue
			}
			f := logFrame{which: -1}
			for i := range list {
				if list[i].logs && list[i].program == id {
					f = logFrame{which: i, nth: calls[i]}
					calls[i]++
					break
				}
			}
			l.stack = append(l.stack, f)
		case strings.HasSuffix(rest, " success"), strings.Contains(rest, " failed"):
			if n := len(l.stack); n > 0 {
				l.stack = l.stack[:n-1]
			}
		}
	}
}

// logged returns the n-th line of that prefix that the call wrote, decoded, or
// nil. The bytes are good until the next call of it.
func (c *call) logged(prefix string, n int) []byte {
	l := &c.p.logs
	if !l.ready {
		l.index(c.tx, c.p.dexes)
	}
	for _, line := range l.lines {
		if line.which != c.which || line.nth != c.nth || !strings.HasPrefix(c.tx.Logs[line.at], prefix) {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		return l.decode(c.tx.Logs[line.at][len(prefix):])
	}
	return nil
}

// decode reads base64 into scratch; nil where it is none.
func (l *logIndex) decode(text string) []byte {
	l.text = append(l.text[:0], text...)
	if need := base64.StdEncoding.DecodedLen(len(l.text)); cap(l.data) < need {
		l.data = make([]byte, need)
	}
	n, err := base64.StdEncoding.Decode(l.data[:cap(l.data)], l.text)
	if err != nil {
		return nil
	}
	return l.data[:n]
}

// loggedEvent returns the n-th logged Anchor event of that discriminator,
// after the discriminator, or nil.
func (c *call) loggedEvent(disc uint64, n int) []byte {
	for i := 0; ; i++ {
		data := c.logged(logData, i)
		if data == nil {
			return nil
		}
		if discriminator(data) != disc {
			continue
		}
		if n > 0 {
			n--
			continue
		}
		return data[8:]
	}
}
