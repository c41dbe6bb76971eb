package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/replay"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/rpctest"
)

// rpcFlags are those of the JSON-RPC server beside `swapcast geyser`.
type rpcFlags struct {
	WithRPC           string `name:"with-rpc" help:"Answer JSON-RPC about the chain that is played on this address too, host:port; port 0 takes a free one. Blocks go back as far as --stored-mb allows; what forks and banks lost is skipped. For serve --rpc-url." placeholder:"ADDR"`
	RPCAddressHistory bool   `name:"rpc-address-history" help:"The JSON-RPC server knows getTransactionsForAddress, as that of few providers does."`
}

// chainRPC is a JSON-RPC server of the chain that is played. Nil is none, and its
// methods do nothing then.
type chainRPC struct {
	recorder *rpctest.Recorder
	server   *http.Server
	listener net.Listener
}

// openRPC makes the server and takes its port; nil without --with-rpc.
func (c *geyserCmd) openRPC(ctx context.Context, feed swapcast.Feed) (*chainRPC, error) {
	if c.WithRPC == "" {
		if c.RPCAddressHistory {
			return nil, usagef("--rpc-address-history says what --with-rpc knows, which is missing")
		}
		return nil, nil //nolint:nilnil // no server is what most people have
	}
	recorder := rpctest.NewRecorder(rpctest.RecorderOptions{MaxBlocks: math.MaxInt, MaxBytes: c.StoredMB << 20})
	if feed == swapcast.FeedSimulated {
		if err := putSimulatedMints(recorder); err != nil {
			return nil, err
		}
	}
	version, _ := buildInfo()
	handler, err := rpctest.New(rpctest.Options{Store: recorder, TransactionsForAddress: c.RPCAddressHistory, Version: version})
	if err != nil {
		return nil, err
	}
	listener, err := listenOn(ctx, "--with-rpc", c.WithRPC)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler}
	limitHTTP(server, time.Minute) // a block may be large and its reader slow
	return &chainRPC{recorder: recorder, server: server, listener: listener}, nil
}

// putSimulatedMints gives the mints that the built-in market lists an account
// each. Those that launch come out of its transactions.
func putSimulatedMints(recorder *rpctest.Recorder) error {
	const whole = 1_000_000_000 // tokens of each, made up as everything is
	for _, t := range sim.Tokens() {
		m := rpctest.Mint{
			Key: t.Mint, Program: t.Program, Decimals: t.Decimals, Name: t.Name, Symbol: t.Symbol,
			Supply: whole * uint64(math.Pow10(int(t.Decimals))), Form: rpctest.Metaplex,
		}
		if t.Program == solana.Token2022ProgramID {
			m.Form = rpctest.Extension
		}
		if t.Mint == swapcast.NativeMint() {
			m.Supply = 0 // as that of the real one
		}
		if err := recorder.PutMint(m); err != nil {
			return fmt.Errorf("mint %s: %w", t.Symbol, err)
		}
	}
	return nil
}

// tap records what a source yields.
func (r *chainRPC) tap(src replay.Source) replay.Source {
	if r == nil {
		return src
	}
	return r.recorder.Tap(src)
}

// tell is the line that says where it listens.
func (r *chainRPC) tell() string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("listening on %s (JSON-RPC)\n", r.listener.Addr())
}

// start serves until stop is called, which waits for the end.
func (r *chainRPC) start(log *slog.Logger) (stop func()) {
	if r == nil {
		return func() {}
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := closed(r.server.Serve(r.listener)); err != nil {
			log.Error("JSON-RPC is served no more", "error", err)
		}
	})
	return func() {
		_ = r.server.Close() // whoever asks now asks in vain
		serving.Wait()
	}
}

// close gives the port back where start was not called.
func (r *chainRPC) close() {
	if r != nil {
		_ = r.listener.Close()
	}
}
