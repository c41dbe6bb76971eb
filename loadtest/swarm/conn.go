package swarm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// state is where a connection stands.
type state uint8

const (
	waiting    state = iota // no socket; due says when to try
	connecting              // TCP
	upgrading               // request sent
	open
	closing // close frame sent, the server's awaited
	ended   // for good
)

// conn is one connection's record. The loop owns it. It is small: there are tens of
// thousands.
type conn struct {
	index    int32 // in the plan
	fd       int32
	state    state
	scenario Scenario
	heard    bool   // a message has come in this session
	fails    uint8  // in a row
	session  uint16 // how many there were
	due      int64  // of the timer that counts, Unix nanoseconds; 0: none
	since    int64  // when the state began: connecting and open
	subs     []sub
	rest     []byte // the beginning of a frame, or of the response
	out      []byte // what the socket did not take
}

// sub is one subscription: the last seq of a key.
type sub struct {
	key int32
	set bool
	seq int64
}

// verdict of a message on its subscription.
type verdict uint8

const (
	fine     verdict = iota
	jumped           // some are missing
	disorder         // seq did not grow
	unasked          // no subscription to this
)

// follow holds a message to what came before it. missing is how many seqs were left out.
func (c *conn) follow(key int32, m *message) (v verdict, missing int64) {
	var s *sub
	for i := range c.subs {
		if c.subs[i].key == key {
			s = &c.subs[i]
			break
		}
	}
	switch {
	case s == nil:
		return unasked, 0
	case m.kind == kindGap: // what is told is not missed
		s.set, s.seq = true, max(s.seq, m.toSeq)
		return fine, 0
	case !s.set:
		s.set, s.seq = true, m.seq
		return fine, 0
	case m.snapshot:
		// The balances of a wallet begin with one for each token, of one seq.
		if m.seq < s.seq {
			return disorder, 0
		}
		s.seq = m.seq
		return fine, 0
	case m.seq <= s.seq:
		return disorder, 0
	}
	missing = m.seq - s.seq - 1
	s.seq = m.seq
	if missing > 0 {
		return jumped, missing
	}
	return fine, 0
}

// responseLimit is the longest answer to a handshake that is read.
const responseLimit = 8 << 10

// readResponse looks for the end of the handshake's answer. done is false where it is
// yet to come; problem is empty where the server agreed, else why it did not.
func readResponse(b []byte, accept string) (rest []byte, problem string, done bool) {
	head, rest, found := bytes.Cut(b, []byte("\r\n\r\n"))
	if !found {
		if len(b) > responseLimit {
			return nil, "answer too long", true
		}
		return b, "", false
	}
	lines := strings.Split(string(head), "\r\n")
	fields := strings.SplitN(lines[0], " ", 3)
	if len(fields) < 2 || !strings.HasPrefix(fields[0], "HTTP/1.1") {
		return nil, "no HTTP answer", true
	}
	if fields[1] != "101" {
		return nil, "status " + clip(fields[1], 3) + problemCode(rest), true
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Sec-WebSocket-Accept") && strings.TrimSpace(value) == accept {
			return rest, "", true
		}
	}
	return nil, "wrong Sec-WebSocket-Accept", true
}

// problemCode is the code of an application/problem+json, as far as it has come.
func problemCode(body []byte) string {
	var p struct {
		Code string `json:"code"`
	}
	if json.NewDecoder(bytes.NewReader(body)).Decode(&p) != nil || p.Code == "" {
		return ""
	}
	return " " + clip(p.Code, 40)
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// The pause before another attempt doubles with each failure.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 10 * time.Second
)

func pauseAfter(fails uint8) time.Duration {
	return min(firstPause<<min(fails, 10), longestPause)
}

// hint reads how long the server wants its client to stay away, out of the reason of a
// close frame; 0 where it says nothing.
func hint(payload []byte) time.Duration {
	var h struct {
		ReconnectMs int64 `json:"reconnectMs"`
	}
	if len(payload) < 3 || json.Unmarshal(payload[2:], &h) != nil {
		return 0
	}
	return time.Duration(min(max(h.ReconnectMs, 0), 60_000)) * time.Millisecond
}

func closedBy(code int) string { return "closed by the server: " + strconv.Itoa(code) }

func failedTo(what string, err error) string { return fmt.Sprintf("%s: %v", what, err) }
