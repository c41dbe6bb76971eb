package swap

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/rpcpool"
)

// Simulation is what a node says that a transaction would do.
type Simulation struct {
	// OK: it would succeed and bring at least the quote's threshold.
	OK    bool
	Error string // the chain's error, as JSON; "" none
	// InAmount and OutAmount are by how much the user's balances would fall and rise,
	// raw units, fees left out; valid where Known.
	InAmount, OutAmount uint64
	Known               bool
	Units               uint64
	Slot                uint64 // the bank's
}

// Simulate runs a transaction on a node's bank, as if it were signed and its
// blockhash new. The error is rpcpool's.
func (b *Builder) Simulate(ctx context.Context, pool *rpcpool.Pool, built *Built, user solana.PublicKey) (*Simulation, error) {
	s, err := simulate(ctx, pool, built, user)
	b.opts.Metrics.simulated(s, err)
	return s, err
}

func simulate(ctx context.Context, pool *rpcpool.Pool, b *Built, user solana.PublicKey) (*Simulation, error) {
	in, out := b.Quote.InputMint, b.Quote.OutputMint
	keys := []solana.PublicKey{user, tokenAccount(b.Checked, user, in), tokenAccount(b.Checked, user, out)}
	var before *rpc.GetMultipleAccountsResult
	err := pool.Do(ctx, rpcpool.Call{Method: "getMultipleAccounts"}, func(ctx context.Context, c *rpc.Client) (err error) {
		before, err = c.GetMultipleAccountsWithOpts(ctx, keys, &rpc.GetMultipleAccountsOpts{Encoding: solana.EncodingBase64, Commitment: rpc.CommitmentProcessed})
		return err
	})
	if err != nil {
		return nil, err
	}
	var after *rpc.SimulateTransactionResponse
	err = pool.Do(ctx, rpcpool.Call{Method: "simulateTransaction"}, func(ctx context.Context, c *rpc.Client) (err error) {
		after, err = c.SimulateRawTransactionWithOpts(ctx, b.Raw, &rpc.SimulateTransactionOpts{
			Commitment: rpc.CommitmentProcessed, ReplaceRecentBlockhash: true,
			Accounts: &rpc.SimulateTransactionAccountsOpts{Encoding: solana.EncodingBase64, Addresses: keys},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return read(b, before, after)
}

// tokenAccount is the user's account of a mint: of the token program whose account
// the transaction names.
func tokenAccount(c *Checked, user, mint solana.PublicKey) solana.PublicKey {
	var first solana.PublicKey
	for i, program := range []solana.PublicKey{solana.TokenProgramID, solana.Token2022ProgramID} {
		ata, _, err := solana.FindAssociatedTokenAddressWithProgram(user, mint, program)
		if err != nil {
			continue
		}
		if i == 0 {
			first = ata
		}
		if slices.Contains(c.Tx.Message.AccountKeys, ata) {
			return ata
		}
	}
	return first
}

// holding is an account's lamports and tokens.
type holding struct{ lamports, tokens int64 }

func hold(a *rpc.Account) holding {
	if a == nil {
		return holding{}
	}
	h := holding{lamports: int64(a.Lamports)} //nolint:gosec // all lamports there are fit
	if a.Data == nil {
		return h
	}
	// A token account of either program: amount at 64.
	if data := a.Data.GetBinary(); len(data) >= 165 && (a.Owner == solana.TokenProgramID || a.Owner == solana.Token2022ProgramID) {
		h.tokens = int64(binary.LittleEndian.Uint64(data[64:]) &^ (1 << 63)) //nolint:gosec // the top bit is off
	}
	return h
}

func read(b *Built, before *rpc.GetMultipleAccountsResult, after *rpc.SimulateTransactionResponse) (*Simulation, error) {
	if before == nil || after == nil || after.Value == nil || len(before.Value) != 3 {
		return nil, fmt.Errorf("simulateTransaction: the answer is incomplete")
	}
	s := &Simulation{Slot: after.Context.Slot}
	if after.Value.UnitsConsumed != nil {
		s.Units = *after.Value.UnitsConsumed
	}
	if after.Value.Err != nil {
		text, err := json.Marshal(after.Value.Err)
		if err != nil {
			text = []byte(`"unknown"`)
		}
		s.Error = string(text)
		return s, nil
	}
	if len(after.Value.Accounts) != 3 {
		return s, nil
	}
	var was, is [3]holding
	for i := range was {
		was[i], is[i] = hold(before.Value[i]), hold(after.Value.Accounts[i])
	}
	fee := int64(b.Checked.Fee) //nolint:gosec // bounded by Check
	if after.Value.Fee != nil {
		fee = int64(*after.Value.Fee) //nolint:gosec // all lamports there are fit
	}
	// Lamports of the user and of both accounts: rent that is paid or comes back is no
	// part of the trade. Wrapped SOL is lamports of its account too.
	lamports := fee
	for i := range was {
		if i == 2 && b.Quote.OutputMint == b.Quote.InputMint {
			continue
		}
		lamports += is[i].lamports - was[i].lamports
	}
	gave, got := was[1].tokens-is[1].tokens, is[2].tokens-was[2].tokens
	if b.Quote.InputMint == swapcast.NativeMint() {
		gave = -lamports
	}
	if b.Quote.OutputMint == swapcast.NativeMint() {
		got = lamports
	}
	s.Known = true
	s.InAmount, s.OutAmount = uint64(max(0, gave)), uint64(max(0, got)) //nolint:gosec // not below 0
	s.OK = s.OutAmount >= b.Quote.Threshold && s.InAmount <= b.Quote.InAmount
	return s, nil
}
