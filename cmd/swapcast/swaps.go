package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/swap"
)

// swaps turns quotes into transactions and forwards signed ones.
type swaps struct {
	builder *swap.Builder // nil: no source makes transactions
	node    *rpcpool.Pool // where transactions are simulated; nil: nowhere
	standIn bool          // node is a stand-in of ours
	metrics *swap.Metrics
	sent    *swap.Tracker
}

// openSwaps makes the builder for those sources that are asked for quotes. With
// stand-ins a stand-in is the node too: nothing is forwarded to it.
func (s *server) openSwaps(o *quote.Options) error {
	options := swap.Options{Jupiter: o.Jupiter, DFlow: o.DFlow, Metrics: s.swaps.metrics}
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
	if s.swaps.builder, err = swap.NewBuilder(options); err != nil {
		return usagef("%v", err)
	}
	s.swaps.node = s.rpc
	if s.quotes.standIns == nil {
		return nil
	}
	s.swaps.standIn = true
	s.swaps.node, err = rpcpool.New(rpcpool.Options{
		URLs: []string{s.quotes.standIns.url + "/rpc"}, PerSecond: noRate, Timeout: simulateWithin, Attempts: 1, Logger: s.log.With("component", "swap"),
	})
	return err
}

// closeQuotes ends what asks for quotes and transactions, and the stand-ins.
func (s *server) closeQuotes() {
	if s.swaps.builder != nil {
		s.swaps.builder.Close()
	}
	if s.swaps.standIn && s.swaps.node != nil {
		s.swaps.node.Close()
	}
	s.quotes.close()
}

// serveSwaps adds to the API what this server can do of it.
func (s *server) serveSwaps(o *api.Options) {
	o.Authorized = s.stream.Authorized
	if s.swaps.builder != nil {
		o.Swap = s.makeSwap
	}
	if s.rpc != nil && s.upstream.player == nil {
		o.Send, o.Transaction = s.send, s.swaps.sent.Get
	}
}

// quoteFeed is what is known of the chain that quotes are judged by. A source on the
// network tells it with its first message.
func (s *server) quoteFeed() swapcast.Feed {
	feed := s.teller.Feed()
	if _, heard := s.feed.age(time.Now()); feed == swapcast.FeedLive && !heard {
		return swapcast.FeedUnknown
	}
	return feed
}

// simulateWithin bounds a simulation: the quote it is of lives for seconds.
const simulateWithin = 5 * time.Second

// makeSwap has the transaction of a quote made, checks and simulates it. A simulation
// that cannot be had is no reason to keep the transaction back; the answer says so.
func (s *server) makeSwap(ctx context.Context, w api.Wish) (*api.Swap, error) {
	var answer *quote.Answer
	var err error
	if w.Quote != nil {
		answer, err = s.quotes.engine.Chosen(w.Source, w.Quote)
	} else {
		answer, err = s.quotes.engine.Quote(ctx, w.Request)
	}
	if err != nil {
		return nil, err
	}
	built, err := s.swaps.builder.Build(ctx, answer, w.User)
	if err != nil {
		return nil, err
	}
	made := &api.Swap{Answer: answer.Of(built.Source), Built: built}
	if s.swaps.node == nil {
		made.NotSimulated = "this server has no --rpc-url"
		return made, nil
	}
	ctx, cancel := context.WithTimeout(ctx, simulateWithin)
	defer cancel()
	if made.Simulation, err = s.swaps.builder.Simulate(ctx, s.swaps.node, built, w.User); err != nil {
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
		s.swaps.metrics.Forwarded(swap.ForwardNoNode)
		return state, &api.NotSentError{Reason: "it was not sent: no node answers"}
	}
	// No blockhash that is good now is good for longer than the newest.
	if last := latest.Value.LastValidBlockHeight; state.LastValidBlockHeight == 0 || state.LastValidBlockHeight > last {
		state.LastValidBlockHeight = last
	}
	state.SentAt = time.Now()
	s.swaps.sent.Sweep(state.SentAt)
	if !s.swaps.sent.Track(state) {
		s.swaps.metrics.Forwarded(swap.ForwardTooMany)
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
		s.swaps.metrics.Forwarded(swap.ForwardSent)
	case errors.As(err, &failed) && failed.Outcome == rpcpool.Answered:
		s.swaps.metrics.Forwarded(swap.ForwardRefused)
		s.swaps.sent.Drop(state.Signature)
		return state, &api.NotSentError{Reason: fmt.Sprintf("the node refuses it (code %d): %s", failed.Code, failed.Message)}
	default:
		// It may be on its way all the same.
		s.swaps.metrics.Forwarded(swap.ForwardUnknown)
		return state, &api.NotSentError{Reason: "no node said that it took the transaction; should one have, /v1/transactions/" + state.Signature.String() + " will tell"}
	}
	now, _ := s.swaps.sent.Get(state.Signature)
	return now, nil
}
