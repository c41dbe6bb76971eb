// Package yardstick is what every Go server under comparison has in common: the
// tokens, the message, the publisher, and the commands on standard input by which
// `compare run` leads it.
package yardstick

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/stream/wire"
)

// Start serves on ln until ctx ends and returns how to publish an update of a
// token. publish is called from one goroutine.
type Start func(ctx context.Context, ln net.Listener, tokens int) (publish func(token int, p *swapcast.Price), err error)

// Main is the main function of a server under comparison: the first argument says
// which of its ways to serve.
func Main(ways map[string]Start) {
	if err := run(context.Background(), ways, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// MintOf is the token's made-up address.
func MintOf(token int) solana.PublicKey {
	k := solana.PublicKey{0: 0x5c, 1: 0xa5, 2: 0x77}
	binary.BigEndian.PutUint32(k[28:], uint32(token)+1)
	return k
}

// Encode makes the message that every server sends, as swapcast's own does.
func Encode(p *swapcast.Price, seq uint64) []byte {
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
				Mint: MintOf(token), USD: 147.231, Known: true, SOL: 1, SOLKnown: true, Confidence: 0.97,
				LiquidityUSD: 81234567.1, DEX: "raydium-clmm", Slot: 371234567, BlockTime: time.Now().UnixNano(),
			})
			token = (token + 1) % p.tokens
			p.count.Add(1)
		}
	}
}

// run serves until stdin or ctx ends. It prints "listening ADDR", then "ok" for
// each command, with the updates published so far for "count".
func run(ctx context.Context, ways map[string]Start, args []string, in io.Reader, out io.Writer) error {
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	tokens := fs.Int("tokens", 100, "tokens that exist")
	listen := fs.String("listen", "127.0.0.1:0", "address")
	rate := fs.Uint64("rate", 0, "updates a second from the start")
	if len(args) == 0 || ways[args[0]] == nil {
		return fmt.Errorf("say which: %s", strings.Join(slices.Sorted(maps.Keys(ways)), ", "))
	}
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	ln, err := net.Listen("tcp4", *listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	publish, err := ways[args[0]](ctx, ln, *tokens)
	if err != nil {
		return fmt.Errorf("start %s: %w", args[0], err)
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
