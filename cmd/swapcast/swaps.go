package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/swap"
)

// swaps turns quotes into transactions and forwards signed ones.
type swaps struct {
	builder *swap.Builder // nil: no source makes transactions
	sent    *swap.Tracker
}

// openSwaps makes the builder for those sources that are asked for quotes. Stand-ins
// make no transactions: there is nothing to trade on a simulated chain.
func (s *server) openSwaps(o *quote.Options) error {
	if s.quotes.standIns != nil {
		return nil
	}
	options := swap.Options{Jupiter: o.Jupiter, DFlow: o.DFlow}
	for _, source := range s.quotes.engine.Status() {
		switch {
		case source.Off == "":
		case source.Source == quote.NameJupiter:
			options.Jupiter.URL = ""
		case source.Source == quote.NameDFlow:
			options.DFlow.URL = ""
		}
	}
	if options.Jupiter.URL == "" && options.DFlow.URL == "" {
		return nil
	}
	var err error
	s.swaps.builder, err = swap.NewBuilder(options)
	if err != nil {
		return usagef("%v", err)
	}
	return nil
}

// serveSwaps adds to the API what this server can do of it.
func (s *server) serveSwaps(o *api.Options) {
	if s.swaps.builder != nil {
		o.Swap = s.makeSwap
	}
	if s.rpc != nil && s.upstream.player == nil {
		o.Send, o.Transaction = s.send, s.swaps.sent.Get
	}
}

// simulateWithin bounds a simulation: the quote it is of lives for seconds.
const simulateWithin = 5 * time.Second

// makeSwap quotes, has the transaction made, checks and simulates it. A simulation
// that cannot be had is no reason to keep the transaction back; the answer says so.
func (s *server) makeSwap(ctx context.Context, r quote.Request, user solana.PublicKey) (*api.Swap, error) {
	answer, err := s.quotes.engine.Quote(ctx, r)
	if err != nil {
		return nil, err
	}
	built, err := s.swaps.builder.Build(ctx, answer, user)
	if err != nil {
		return nil, err
	}
	made := &api.Swap{Answer: answer, Built: built}
	if s.rpc == nil {
		made.NotSimulated = "this server has no --rpc-url"
		return made, nil
	}
	ctx, cancel := context.WithTimeout(ctx, simulateWithin)
	defer cancel()
	if made.Simulation, err = swap.Simulate(ctx, s.rpc, built, user); err != nil {
		made.NotSimulated = "no node simulated it"
		s.log.Warn("a swap was not simulated", "source", built.Source, "error", err)
	}
	return made, nil
}

// sendWithin bounds the forwarding of a transaction.
const sendWithin = 20 * time.Second

// send forwards a signed transaction. It is followed from before it is sent, so that
// the stream cannot be faster.
func (s *server) send(ctx context.Context, raw []byte, state swap.State) (swap.State, error) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	var latest *rpc.GetLatestBlockhashResult
	err := s.rpc.Do(ctx, rpcpool.Call{Method: "getLatestBlockhash"}, func(ctx context.Context, c *rpc.Client) (err error) {
		latest, err = c.GetLatestBlockhash(ctx, rpc.CommitmentConfirmed)
		return err
	})
	if err != nil || latest == nil || latest.Value == nil {
		return state, &api.NotSentError{Reason: "it was not sent: no node answers"}
	}
	// No blockhash that is good now is good for longer than the newest.
	if last := latest.Value.LastValidBlockHeight; state.LastValidBlockHeight == 0 || state.LastValidBlockHeight > last {
		state.LastValidBlockHeight = last
	}
	state.SentAt = time.Now()
	s.swaps.sent.Sweep(state.SentAt)
	if !s.swaps.sent.Track(state) {
		return state, api.ErrTooMany
	}
	s.watch.nudge() // its payer is asked for from now on
	err = s.rpc.Do(ctx, rpcpool.Call{Method: "sendTransaction"}, func(ctx context.Context, c *rpc.Client) error {
		got, err := c.SendRawTransactionWithOpts(ctx, raw, rpc.TransactionOpts{PreflightCommitment: rpc.CommitmentConfirmed})
		if err == nil && got != state.Signature {
			return rpcpool.Final(fmt.Errorf("the node names another signature"))
		}
		return err
	})
	var failed *rpcpool.Error
	switch {
	case err == nil:
	case errors.As(err, &failed) && failed.Outcome == rpcpool.Answered:
		s.swaps.sent.Drop(state.Signature)
		return state, &api.NotSentError{Reason: fmt.Sprintf("the node refuses it (code %d): %s", failed.Code, failed.Message)}
	default:
		// It may be on its way all the same.
		return state, &api.NotSentError{Reason: "no node said that it took the transaction; should one have, /v1/transactions/" + state.Signature.String() + " will tell"}
	}
	now, _ := s.swaps.sent.Get(state.Signature)
	return now, nil
}
