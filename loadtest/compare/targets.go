package main

import (
	"fmt"
	"strconv"
	"strings"
)

// target is one server under comparison.
type target struct {
	name     string
	what     string
	dir      string // of its program, below servers
	way      string // what the program is to do
	protocol protocolName
	query    string // for the client
	more     bool   // beyond those that are compared unless others are named
}

// conflates reports whether a client is sent the newest of each token only.
func (t target) conflates() bool { return strings.HasSuffix(t.name, "-100ms") }

func targets() []target {
	return []target{
		{"swapcast", "the stream package", "swapcast", "swapcast", bySwapcast, "", false},
		{"swapcast-100ms", "the stream package, one frame a connection each 100 ms, newest price of each token", "swapcast", "swapcast", bySwapcast, "window_ms=100&batch=1", false},
		{"bare", "no server: one thread that writes each frame with write(2), what the kernel alone costs", "bare", "bare", byQuery, "", false},
		{"coder-goroutine", "coder/websocket, a writing goroutine and a channel for each connection", "coder", "coder-goroutine", byQuery, "", false},
		{"gws", "lxzan/gws Broadcaster", "gws", "gws", byQuery, "", false},
		{"centrifuge", "centrifuge, lean options", "centrifuge", "centrifuge", byCentrifuge, "", false},
		{"centrifuge-100ms", "centrifuge, newest publication of each channel every 100 ms", "centrifuge", "centrifuge-100ms", byCentrifuge, "", false},
		{"nats", "nats-server WebSocket, embedded", "nats", "nats", byNATS, "", false},
		{"node-ws", "Node.js ws", nodeDir, "", byQuery, "", false},
		{"coder-publisher", "coder/websocket, the publisher writes to each connection", "coder", "coder-publisher", byQuery, "", true},
		{"gorilla", "gorilla/websocket PreparedMessage, a writing goroutine for each connection", "gorilla", "gorilla", byQuery, "", true},
		{"gobwas", "gobwas/ws, shared frame bytes, the publisher writes", "gobwas", "gobwas", byQuery, "", true},
	}
}

// nodeDir is the one server that is no Go program.
const nodeDir = "node"

func find(name string) (target, error) {
	for _, t := range targets() {
		if t.name == name {
			return t, nil
		}
	}
	return target{}, fmt.Errorf("no server named %q; see compare list", name)
}

// tokensOf are the tokens that connection i follows, spread evenly.
func tokensOf(i, each, tokens int) []int {
	list := make([]int, 0, each)
	for n := range min(each, tokens) {
		list = append(list, (i*each+n)%tokens)
	}
	return list
}

func join(tokens []int) string {
	s := make([]string, len(tokens))
	for i, t := range tokens {
		s[i] = strconv.Itoa(t)
	}
	return strings.Join(s, ",")
}
