package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// target is one server under comparison.
type target struct {
	name     string
	what     string
	protocol protocolName
	query    string // for the client
	// start serves on ln until ctx ends and returns how to publish an update of
	// a token. publish is called from one goroutine.
	start func(ctx context.Context, ln net.Listener, tokens int) (publish func(token int, p *swapcast.Price), err error)
}

func targets() []target {
	return []target{
		{"swapcast", "the stream package", bySwapcast, "", startSwapcast},
		{"swapcast-100ms", "the stream package, one frame a connection each 100 ms, newest price of each token", bySwapcast, "window_ms=100&batch=1", startSwapcast},
		{"coder-goroutine", "coder/websocket, a writing goroutine and a channel for each connection", byQuery, "", startCoderGoroutine},
		{"coder-publisher", "coder/websocket, the publisher writes to each connection", byQuery, "", startCoderPublisher},
		{"gorilla", "gorilla/websocket PreparedMessage, a writing goroutine for each connection", byQuery, "", startGorilla},
		{"gws", "lxzan/gws Broadcaster", byQuery, "", startGWS},
		{"gobwas", "gobwas/ws, shared frame bytes, the publisher writes", byQuery, "", startGobwas},
		{"centrifuge", "centrifuge, lean options", byCentrifuge, "", startCentrifuge(0)},
		{"centrifuge-100ms", "centrifuge, newest publication of each channel every 100 ms", byCentrifuge, "", startCentrifuge(100 * time.Millisecond)},
		{"nats", "nats-server WebSocket, embedded", byNATS, "", startNATS},
		{"node-ws", "Node.js ws, in its own process", byQuery, "", nil},
	}
}

func find(name string) (target, error) {
	for _, t := range targets() {
		if t.name == name {
			return t, nil
		}
	}
	return target{}, fmt.Errorf("no server named %q; see compare list", name)
}

// mintOf is the token's made-up address.
func mintOf(token int) solana.PublicKey {
	k := solana.PublicKey{0: 0x5c, 1: 0xa5, 2: 0x77}
	binary.BigEndian.PutUint32(k[28:], uint32(token)+1)
	return k
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

// encode makes the message that every server sends, as swapcast's own does.
func encode(p *swapcast.Price, seq uint64) []byte {
	return wire.AppendPrice(make([]byte, 0, 384), p, wire.Meta{Seq: seq, TS: p.BlockTime / 1e6})
}

// publisher offers updates at a rate, round all tokens, from one goroutine.
type publisher struct {
	tokens  int
	publish func(int, *swapcast.Price)
	rate    atomic.Uint64 // updates a second
	count   atomic.Uint64 // updates published
}

// maxArrears is how many updates may be made up for after a stall; beyond that
// the server cannot take what is offered.
const maxArrears = 50

func (p *publisher) run(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var due float64
	token, last := 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		rate := float64(p.rate.Load())
		due = min(due+now.Sub(last).Seconds()*rate, maxArrears+rate/1000)
		last = now
		for ; due >= 1 && ctx.Err() == nil; due-- {
			p.publish(token, &swapcast.Price{
				Mint: mintOf(token), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97,
				LiquidityUSD: 81234567.1, DEX: "raydium-clmm", Slot: 371234567, BlockTime: time.Now().UnixNano(),
			})
			token = (token + 1) % p.tokens
			p.count.Add(1)
		}
	}
}

// runServer serves until stdin or ctx ends. It prints "listening ADDR", then
// "ok" for each command, with the updates published so far for "count".
func runServer(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	tokens := fs.Int("tokens", 100, "tokens that exist")
	listen := fs.String("listen", "127.0.0.1:0", "address")
	rate := fs.Uint64("rate", 0, "updates a second from the start")
	if len(args) == 0 {
		return fmt.Errorf("server: say which; see compare list")
	}
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	t, err := find(args[0])
	if err != nil {
		return err
	}
	if t.start == nil {
		return fmt.Errorf("server: %s runs by itself; see README.md", t.name)
	}
	ln, err := net.Listen("tcp4", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	publish, err := t.start(ctx, ln, *tokens)
	if err != nil {
		return fmt.Errorf("start %s: %w", t.name, err)
	}
	p := &publisher{tokens: *tokens, publish: publish}
	p.rate.Store(*rate)
	go p.run(ctx)
	fmt.Fprintf(out, "listening %s\n", ln.Addr())
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 2 && f[0] == "start":
			n, err := strconv.ParseUint(f[1], 10, 64)
			if err != nil {
				return fmt.Errorf("start: %w", err)
			}
			p.rate.Store(n)
		case len(f) == 1 && f[0] == "stop":
			p.rate.Store(0)
		case len(f) == 1 && f[0] == "count":
			fmt.Fprintf(out, "ok %d\n", p.count.Load())
			continue
		case len(f) == 1 && f[0] == "gc":
			runtime.GC()
			debug.FreeOSMemory()
		default:
			return fmt.Errorf("unknown command %q", lines.Text())
		}
		fmt.Fprintln(out, "ok")
	}
	return lines.Err()
}
