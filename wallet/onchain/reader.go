package onchain

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"
	"github.com/gagliardetto/solana-go/rpc/jsonrpc"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/wallet"
)

// Reader asks nodes about wallets.
type Reader struct {
	RPC *rpcpool.Pool
	// Decimals of mints that are known already; the others are asked for. Nil: none.
	Decimals func(mint solana.PublicKey) (uint8, bool)
}

// answer is a result with the slot that it is of.
type answer[T any] struct {
	Context struct {
		Slot uint64 `json:"slot"`
	} `json:"context"`
	Value T `json:"value"`
}

func ask[T any](ctx context.Context, pool *rpcpool.Pool, method string, params ...any) (T, error) {
	var out T
	err := pool.Do(ctx, rpcpool.Call{Method: method}, func(ctx context.Context, client *rpc.Client) error {
		var fresh T // of an attempt that breaks off nothing is kept
		err := client.RPCCallForInto(ctx, &fresh, method, params)
		out = fresh
		return err
	})
	return out, err
}

// Snapshot is what one part of a wallet held, at the confirmed slot that the node
// names.
func (r *Reader) Snapshot(ctx context.Context, owner solana.PublicKey, part wallet.Part) (*wallet.Snapshot, error) {
	if part == wallet.PartSOL {
		a, err := ask[answer[uint64]](ctx, r.RPC, "getBalance", owner, rpc.M{"commitment": rpc.CommitmentConfirmed})
		if err != nil {
			return nil, err
		}
		return &wallet.Snapshot{Owner: owner, Part: part, Slot: a.Context.Slot, Accounts: []wallet.Account{
			{Key: owner, Mint: swapcast.NativeMint(), Amount: a.Value, Decimals: 9},
		}}, nil
	}
	program := solana.TokenProgramID
	if part == wallet.PartToken2022 {
		program = solana.Token2022ProgramID
	}
	a, err := ask[answer[[]keyed]](ctx, r.RPC, "getTokenAccountsByOwner", owner, rpc.M{"programId": program}, rpc.M{
		"commitment": rpc.CommitmentConfirmed, "encoding": "base64", "dataSlice": rpc.M{"offset": 0, "length": tokenHead},
	})
	if err != nil {
		return nil, err
	}
	s := &wallet.Snapshot{Owner: owner, Part: part, Slot: a.Context.Slot}
	for i := range a.Value {
		account, err := a.Value[i].read(owner)
		if err != nil {
			return nil, fmt.Errorf("token account %s: %w", a.Value[i].Pubkey, err)
		}
		if account.Amount > 0 {
			s.Accounts = append(s.Accounts, account)
		}
	}
	return s, r.decimals(ctx, s.Accounts)
}

// keyed is a row of getTokenAccountsByOwner.
type keyed struct {
	Pubkey  solana.PublicKey `json:"pubkey"`
	Account account          `json:"account"`
}

type account struct {
	Data [2]string `json:"data"` // base64
}

// tokenHead is how much of a token account is read: mint, owner and amount, as
// spl-token's state.rs lays them out for both programs.
const tokenHead = 72

func (k *keyed) read(owner solana.PublicKey) (wallet.Account, error) {
	data, err := base64.StdEncoding.DecodeString(k.Account.Data[0])
	switch {
	case err != nil:
		return wallet.Account{}, err
	case len(data) < tokenHead:
		return wallet.Account{}, fmt.Errorf("%d bytes, want %d", len(data), tokenHead)
	case solana.PublicKey(data[32:64]) != owner:
		return wallet.Account{}, errors.New("it has another owner")
	}
	return wallet.Account{Key: k.Pubkey, Mint: solana.PublicKey(data[:32]), Amount: binary.LittleEndian.Uint64(data[64:])}, nil
}

const (
	maxKeys      = 100 // of getMultipleAccounts
	decimalsFrom = 44  // in a mint account
)

// decimals fills those of the accounts' mints in.
func (r *Reader) decimals(ctx context.Context, accounts []wallet.Account) error {
	known := make(map[solana.PublicKey]uint8)
	var asked []solana.PublicKey
	for i := range accounts {
		mint := accounts[i].Mint
		if _, ok := known[mint]; ok {
			continue
		}
		if r.Decimals != nil {
			if d, ok := r.Decimals(mint); ok {
				known[mint] = d
				continue
			}
		}
		known[mint] = 0
		asked = append(asked, mint)
	}
	for len(asked) > 0 {
		n := min(len(asked), maxKeys)
		a, err := ask[answer[[]*account]](ctx, r.RPC, "getMultipleAccounts", asked[:n], rpc.M{
			"commitment": rpc.CommitmentConfirmed, "encoding": "base64", "dataSlice": rpc.M{"offset": decimalsFrom, "length": 1},
		})
		if err != nil {
			return err
		}
		if len(a.Value) != n {
			return fmt.Errorf("getMultipleAccounts: %d rows for %d keys", len(a.Value), n)
		}
		for i, row := range a.Value {
			if row == nil {
				return fmt.Errorf("mint %s does not exist", asked[i])
			}
			data, err := base64.StdEncoding.DecodeString(row.Data[0])
			if err != nil || len(data) != 1 {
				return fmt.Errorf("mint %s: its decimals cannot be read", asked[i])
			}
			known[asked[i]] = data[0]
		}
		asked = asked[n:]
	}
	for i := range accounts {
		accounts[i].Decimals = known[accounts[i].Mint]
	}
	return nil
}

// Listed is a row of getSignaturesForAddress.
type Listed struct {
	Signature solana.Signature `json:"signature"`
	Slot      uint64           `json:"slot"`
	BlockTime *int64           `json:"blockTime"`
}

// List is a page of an address's transactions, newest first: those of a span, limit
// at most. errLagging where the node has not confirmed the slot that it is to have.
func (r *Reader) List(ctx context.Context, s wallet.Span, limit int) ([]Listed, error) {
	options := rpc.M{"commitment": rpc.CommitmentConfirmed, "limit": limit}
	if !s.Before.IsZero() {
		options["before"] = s.Before
	}
	if !s.Until.IsZero() {
		options["until"] = s.Until
	}
	var rows []Listed
	const method = "getSignaturesForAddress"
	err := r.RPC.Do(ctx, rpcpool.Call{Method: method}, func(ctx context.Context, client *rpc.Client) error {
		if s.At != 0 && s.Before.IsZero() { // the list itself does not tell
			slot, err := client.GetSlot(ctx, rpc.CommitmentConfirmed)
			if err != nil {
				return err
			}
			if slot < s.At {
				return rpcpool.Final(errLagging)
			}
		}
		var fresh []Listed // of an attempt that breaks off nothing is kept
		err := client.RPCCallForInto(ctx, &fresh, method, []any{s.Address, options})
		rows = fresh
		return err
	})
	return rows, err
}

// Signatures are those of a block, in its order; errMissing where no node has it
// any more.
func (r *Reader) Signatures(ctx context.Context, slot uint64) ([]solana.Signature, error) {
	block, err := ask[struct {
		Signatures []solana.Signature `json:"signatures"`
	}](ctx, r.RPC, "getBlock", slot, rpc.M{
		"transactionDetails": "signatures", "rewards": false, "commitment": rpc.CommitmentConfirmed, "maxSupportedTransactionVersion": maxVersion,
	})
	if code := rpcpool.Code(err); code != 0 || errors.Is(err, rpc.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	}
	return block.Signatures, err
}

// errMissing: no node gives a transaction that one of them lists, or it cannot be
// read.
var errMissing = errors.New("no node gives the transaction")

// maxVersion is the highest version of transactions that we read.
const maxVersion = 1

// Transaction is one that was listed.
func (r *Reader) Transaction(ctx context.Context, signature solana.Signature) (*swapcast.Transaction, error) {
	const method = "getTransaction"
	var found *capture.LoneTransaction
	params := []any{signature, rpc.M{"encoding": "base64", "commitment": rpc.CommitmentConfirmed, "maxSupportedTransactionVersion": maxVersion}}
	err := r.RPC.Do(ctx, rpcpool.Call{Method: method, Spare: true}, func(ctx context.Context, client *rpc.Client) error {
		err := client.RPCCallWithCallback(ctx, method, params, func(_ *http.Request, resp *http.Response) error {
			var err error
			found, err = capture.ReadTransaction(resp.Body)
			return err
		})
		var node *capture.NodeError
		var item *capture.ItemError
		switch {
		case errors.As(err, &node):
			return &jsonrpc.RPCError{Code: node.Code, Message: node.Message} // as rpcpool knows it
		case errors.Is(err, capture.ErrNoResult):
			return rpc.ErrNotFound
		case errors.As(err, &item):
			return rpcpool.Final(fmt.Errorf("%w: %w", errMissing, err))
		default:
			return err
		}
	})
	switch code := rpcpool.Code(err); {
	case errors.Is(err, rpc.ErrNotFound), code == rpcpool.CodeUnsupportedVersion,
		code == rpcpool.CodeHistoryNotAvailable, code == rpcpool.CodeBlockCleanedUp:
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	case err != nil:
		return nil, err
	}
	tx, err := found.View(geyser.NewDecoder())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errMissing, err)
	}
	return tx, nil
}
