package backfill

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"
	"github.com/gagliardetto/solana-go/rpc/jsonrpc"

	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/rpcpool"
)

// Reasons of KindLost; the rest is "rpc_" and an rpcpool.Outcome.
const (
	reasonOverflow    = "overflow"
	reasonCleanedUp   = "cleaned_up"
	reasonVersion     = "unsupported_version"
	reasonUndecodable = "undecodable"
	reasonTooLong     = "too_long"
	reasonNotYet      = "not_yet"
	reasonUnproven    = "unproven"
)

// raw is a client's call whose answer is read as it comes, by capture's reader
// rather than solana-go's types: read gives a *capture.NodeError where the node
// answered with an error.
func raw(ctx context.Context, client *rpc.Client, method string, params []any, read func(*http.Response) error) error {
	err := client.RPCCallWithCallback(ctx, method, params, func(_ *http.Request, resp *http.Response) error { return read(resp) })
	var node *capture.NodeError
	switch {
	case errors.As(err, &node):
		return &jsonrpc.RPCError{Code: node.Code, Message: node.Message} // as rpcpool knows it
	case errors.Is(err, capture.ErrNoResult):
		return rpc.ErrNotConfirmed
	default:
		return err
	}
}

// elsewhere tells the answers about a block that another node may not give.
func elsewhere(code int) bool {
	switch code {
	case rpcpool.CodeBlockCleanedUp, rpcpool.CodeBlockNotAvailable, rpcpool.CodeSlotSkipped,
		rpcpool.CodeLongTermSlotSkipped, rpcpool.CodeHistoryNotAvailable:
		return true
	default:
		return false
	}
}

// fetch starts the job that gets a slot's block.
func (r *run) fetch(ctx context.Context, w *want) {
	slot, refs, missing := w.slot, slices.Clone(w.refs), w.missing
	m := r.f.matcher.Load()
	w.busy = true
	r.fetching[slot] = struct{}{}
	r.job(ctx, func() func() {
		d, err := r.f.block(ctx, slot, m, missing, refs)
		return func() {
			w.busy = false
			delete(r.fetching, slot)
			if err != nil {
				r.failed(ctx, w, err)
				return
			}
			w.busy = true // until it is delivered
			r.ready[slot] = d
		}
	})
}

// failed judges why a block did not come.
func (r *run) failed(ctx context.Context, w *want, err error) {
	outcome := rpcpool.OutcomeOf(err)
	switch code := rpcpool.Code(err); {
	case ctx.Err() != nil:
	case errors.Is(err, rpc.ErrNotConfirmed), code == rpcpool.CodeBlockNotAvailable, cleanedUp(code) && !allCleanedUp(err):
		r.retry(w, reasonNotYet, r.f.o.PollEvery)
	case code == rpcpool.CodeSlotSkipped, code == rpcpool.CodeLongTermSlotSkipped:
		w.listed = false // the next survey shows whether the chain passes over it
		wait := r.pause(w)
		if w.tries == 0 {
			wait = 0
		}
		r.retry(w, reasonUnproven, wait)
	case cleanedUp(code):
		r.giveUp(ctx, w, reasonCleanedUp)
	case code == rpcpool.CodeUnsupportedVersion:
		r.giveUp(ctx, w, reasonVersion)
	case outcome == rpcpool.TooLong:
		r.giveUp(ctx, w, reasonTooLong)
	default:
		r.retry(w, "rpc_"+string(outcome), r.pause(w))
	}
}

func cleanedUp(code int) bool {
	return code == rpcpool.CodeBlockCleanedUp || code == rpcpool.CodeHistoryNotAvailable
}

// allCleanedUp reports whether every endpoint says that it has let the block go.
// One that says anything else may have it later.
func allCleanedUp(err error) bool {
	var e *rpcpool.Error
	return errors.As(err, &e) && !slices.ContainsFunc(e.Answers, func(code int) bool { return !cleanedUp(code) })
}

// maxVersion is the highest version of transactions that we read. Without it a
// node refuses a block that has a transaction of that version.
const maxVersion = 1

// block fetches one block and picks out of it what is asked for: all that the
// filter selects, or with missing false only the transactions of refs.
func (f *Filler) block(ctx context.Context, slot uint64, m *matcher, missing bool, refs []solana.Signature) (*delivery, error) {
	var block *capture.Block
	params := []any{slot, rpc.M{
		"encoding": "base64", "transactionDetails": "full", "rewards": false,
		"commitment": rpc.CommitmentConfirmed, "maxSupportedTransactionVersion": maxVersion,
	}}
	err := f.o.RPC.Do(ctx, rpcpool.Call{Method: "getBlock", Elsewhere: elsewhere}, func(ctx context.Context, client *rpc.Client) error {
		return raw(ctx, client, "getBlock", params, func(resp *http.Response) error {
			var err error
			block, err = capture.ReadBlock(resp.Body, slot)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return f.pick(block, m, missing, refs, time.Now().UnixNano()), nil
}
