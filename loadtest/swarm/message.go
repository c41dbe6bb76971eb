package swarm

import (
	"bytes"
	"encoding/json"
)

// kind is what a message is, as far as the swarm cares.
type kind uint8

const (
	kindOther  kind = iota // answers, status
	kindUpdate             // a price, trade, candle or balance; numbered
	kindGap                // what the server says it could not deliver
	kindError
)

// message is what the swarm takes of one. key points into the frame.
type message struct {
	kind     kind
	key      []byte // mint, or wallet of a balance
	seq      int64
	ts       int64 // Unix milliseconds; 0 where there is none
	snapshot bool
	toSeq    int64 // of a gap
}

// readMessage finds the few fields that the swarm needs. It relies on nothing but that
// "type" comes first: a quote within a text is escaped, so that what looks like a field
// here is one. ok is false where a field is missing.
func readMessage(b []byte) (m message, ok bool) {
	const head = `{"type":"`
	if len(b) < len(head) || string(b[:len(head)]) != head {
		return m, false
	}
	name, rest, found := bytes.Cut(b[len(head):], []byte{'"'})
	if !found {
		return m, false
	}
	key := `"assetId":"`
	switch string(name) {
	case "price", "trade", "candle", "retract":
		m.kind = kindUpdate
	case "balance":
		m.kind, key = kindUpdate, `"wallet":"`
	case "gap":
		m.kind = kindGap
	case "error":
		m.kind = kindError
		return m, true
	default:
		return m, true
	}
	if m.key, ok = textField(rest, key); !ok {
		return m, false
	}
	if m.kind == kindGap {
		m.toSeq, ok = numberField(rest, `,"toSeq":`)
		return m, ok
	}
	// seq and ts stand at the end: most of a message need not be looked at.
	tail := rest[max(0, len(rest)-tailSize):]
	m.seq, ok = numberField(tail, `,"seq":`)
	if !ok {
		tail = rest
		if m.seq, ok = numberField(tail, `,"seq":`); !ok {
			return m, false
		}
	}
	if m.ts, ok = numberField(tail, `,"ts":`); !ok {
		return m, false
	}
	m.snapshot = bytes.Contains(tail, []byte(`,"snapshot":true`))
	return m, true
}

// tailSize holds seq, ts and feed, and most often snapshot: as much as package bytes
// searches in one go.
const tailSize = 64

func textField(b []byte, name string) ([]byte, bool) {
	i := 1 // it stands behind the type and a comma
	if len(b) < 1+len(name) || string(b[1:1+len(name)]) != name {
		if i = bytes.Index(b, []byte(name)); i < 0 {
			return nil, false
		}
	}
	value, _, found := bytes.Cut(b[i+len(name):], []byte{'"'})
	return value, found
}

func numberField(b []byte, name string) (int64, bool) {
	i := bytes.Index(b, []byte(name))
	if i < 0 {
		return 0, false
	}
	n, digits := int64(0), 0
	for _, c := range b[i+len(name):] {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
		digits++
	}
	return n, digits > 0 && digits <= 18
}

// eachMessage calls f with every message of a text frame: one object, or the objects of
// an array where batch=1 was asked for. It reports whether the frame had that form.
func eachMessage(payload []byte, f func(one []byte)) bool {
	if len(payload) < 2 {
		return false
	}
	if payload[0] != '[' {
		f(payload)
		return true
	}
	if payload[len(payload)-1] != ']' {
		return false
	}
	// No text within a message holds this: its quotes would be escaped.
	const between = `},{"type":"`
	rest := payload[1 : len(payload)-1]
	for {
		i := bytes.Index(rest, []byte(between))
		if i < 0 {
			f(rest)
			return true
		}
		f(rest[:i+1])
		rest = rest[i+2:]
	}
}

// checkWhole parses a message as JSON and holds it to what the contract says of every
// price: a field price, a field assetId.
func checkWhole(b []byte) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(b, &m) != nil {
		return false
	}
	if string(m["type"]) != `"price"` {
		return true
	}
	return m["price"] != nil && m["assetId"] != nil
}
