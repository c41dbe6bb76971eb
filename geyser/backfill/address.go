package backfill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/rpcpool"
)

const (
	// maxAddresses is up to how many wallets are asked for one by one: beyond
	// that, blocks are cheaper.
	maxAddresses = 100
	// maxRows bounds the transactions of one survey: where there are more, blocks
	// are fetched.
	maxRows  = 20_000
	pageSize = 100
)

var errTooMuch = errors.New("more than is worth asking for by address")

// rows are the transactions of watched wallets within one survey's slots.
type rows struct {
	bySlot map[uint64][]*capture.LoneTransaction // in order of the block
	f      *Filler
	at     int64
}

// byAddress asks for what the wallets did in the wanted slots that have blocks.
func (f *Filler) byAddress(ctx context.Context, wallets []solana.PublicKey, l *listing, wanted []uint64) (*rows, error) {
	if len(wallets) > maxAddresses {
		return nil, errTooMuch
	}
	r := &rows{bySlot: make(map[uint64][]*capture.LoneTransaction), f: f}
	seen := make(map[solana.Signature]struct{})
	for _, wallet := range wallets {
		next := ""
		for {
			page, token, err := f.page(ctx, wallet, wanted[0], wanted[len(wanted)-1], next)
			if err != nil {
				return nil, err
			}
			for _, t := range page {
				signature := solana.Signature(t.Info.GetSignature())
				if _, twice := seen[signature]; !twice && l.has(t.Slot) {
					seen[signature] = struct{}{}
					r.bySlot[t.Slot] = append(r.bySlot[t.Slot], t)
				}
			}
			if len(seen) > maxRows {
				return nil, errTooMuch
			}
			if token == "" {
				break
			}
			if token == next {
				return nil, fmt.Errorf("the page after %.40q is itself", next)
			}
			next = token
		}
	}
	r.at = time.Now().UnixNano()
	for _, list := range r.bySlot {
		slices.SortFunc(list, func(a, b *capture.LoneTransaction) int { return cmp.Compare(a.Info.GetIndex(), b.Info.GetIndex()) })
	}
	return r, nil
}

// page asks for one page of a wallet's transactions, oldest first.
func (f *Filler) page(ctx context.Context, wallet solana.PublicKey, from, to uint64, token string) (page []*capture.LoneTransaction, next string, err error) {
	options := rpc.M{
		"transactionDetails": "full", "encoding": "base64", "sortOrder": "asc", "limit": pageSize,
		"commitment": rpc.CommitmentConfirmed, "maxSupportedTransactionVersion": maxVersion,
		"filters": rpc.M{"slot": rpc.M{"gte": from, "lte": to}, "tokenAccounts": rpc.TokenAccountsBalanceChanged},
	}
	if token != "" {
		options["paginationToken"] = token
	}
	const method = "getTransactionsForAddress"
	// Another endpoint may offer the method where this one does not.
	call := rpcpool.Call{Method: method, Elsewhere: func(code int) bool { return code == rpcpool.CodeMethodNotFound }}
	err = f.o.RPC.Do(ctx, call, func(ctx context.Context, client *rpc.Client) error {
		return raw(ctx, client, method, []any{wallet, options}, func(resp *http.Response) error {
			var err error
			page, next, err = capture.ReadTransactions(resp.Body)
			var item *capture.ItemError
			if errors.As(err, &item) {
				return rpcpool.Final(err) // the endpoint is not to blame: a block shows what else there is
			}
			return err
		})
	})
	return page, next, err
}

// addressesFailed notes that wallets cannot be asked for: blocks are fetched.
func (r *run) addressesFailed(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case rpcpool.Code(err) == rpcpool.CodeMethodNotFound:
		r.noAddresses = true
		r.f.o.Logger.Info("no endpoint offers getTransactionsForAddress; whole blocks are fetched for watched wallets")
	default:
		r.f.o.Logger.Warn("wallets could not be asked for by address; whole blocks are fetched", "error", err)
	}
}

// delivery gives what the wallets did in one slot.
func (r *rows) delivery(slot uint64) *delivery {
	d := &delivery{slot: slot, whole: true}
	decoder := geyser.NewDecoder()
	for _, t := range r.bySlot[slot] {
		r.f.add(d, decoder, t.Info, t.BlockTime, r.at)
	}
	return d
}
