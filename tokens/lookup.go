package tokens

import (
	"context"
	"fmt"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/rpcpool"
)

const (
	// maxKeys is how many accounts getMultipleAccounts takes.
	maxKeys = 100
	// maxBatch mints and their Metaplex accounts are asked for at once.
	maxBatch = maxKeys / 2
	// accountHead is how much of an account is read. Names stand in the first
	// 400 bytes of nearly all; a mint with many extensions has them later.
	accountHead = 2 << 10
)

// result is what was found of one mint.
type result struct {
	token   swapcast.Token
	outcome outcome
	pointer solana.PublicKey // of an account that may have the names; zero none
}

// lookUp asks for the mints of a batch. Where it fails, the results say so of
// every mint that it concerns.
func (l *Loader) lookUp(ctx context.Context, mints []solana.PublicKey) ([]result, error) {
	results := make([]result, len(mints))
	keys := make([]solana.PublicKey, 0, 2*len(mints))
	keys = append(keys, mints...)
	for i, mint := range mints {
		results[i] = result{token: swapcast.Token{Mint: mint}, outcome: failed}
		address, err := MetaplexAddress(mint)
		if err != nil {
			address = mint // no such address exists; the mint's own data is no metadata
		}
		keys = append(keys, address)
	}
	accounts, err := l.accounts(ctx, keys)
	if err != nil {
		return results, err
	}
	for i := range mints {
		results[i].read(accounts[i], accounts[len(mints)+i], keys[len(mints)+i])
	}
	return results, l.follow(ctx, results)
}

// follow reads the accounts that MetadataPointers name outside of their mints.
func (l *Loader) follow(ctx context.Context, results []result) error {
	var keys []solana.PublicKey
	var of []*result
	for i := range results {
		if r := &results[i]; !r.pointer.IsZero() {
			keys, of = append(keys, r.pointer), append(of, r)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	accounts, err := l.accounts(ctx, keys)
	if err != nil {
		return err
	}
	for i, r := range of {
		if a := accounts[i]; a != nil {
			symbol, name, ok := pointedNames(r.token.Mint, a)
			r.name(symbol, name, ok)
		}
	}
	return nil
}

// accounts gives the beginnings of accounts, in the order of the keys, nil for
// one that does not exist.
func (l *Loader) accounts(ctx context.Context, keys []solana.PublicKey) ([]*rpc.Account, error) {
	var offset, length uint64 = 0, accountHead
	var out []*rpc.Account
	err := l.o.RPC.Do(ctx, rpcpool.Call{Method: "getMultipleAccounts"}, func(ctx context.Context, client *rpc.Client) error {
		got, err := client.GetMultipleAccountsWithOpts(ctx, keys, &rpc.GetMultipleAccountsOpts{
			Encoding:   solana.EncodingBase64,
			Commitment: rpc.CommitmentConfirmed,
			DataSlice:  &rpc.DataSlice{Offset: &offset, Length: &length},
		})
		if err != nil {
			return err
		}
		if len(got.Value) != len(keys) {
			return fmt.Errorf("%d accounts for %d keys", len(got.Value), len(keys))
		}
		out = got.Value
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("accounts of mints: %w", err)
	}
	return out, nil
}

// read takes what the mint account and the Metaplex account say.
func (r *result) read(mintAccount, metaplex *rpc.Account, metaplexKey solana.PublicKey) {
	t := &r.token
	if mintAccount == nil {
		r.outcome = missing
		return
	}
	m, err := ParseMint(t.Mint, mintAccount.Owner, accountData(mintAccount))
	if err != nil {
		r.outcome = notMint
		return
	}
	t.Program = mintAccount.Owner
	t.Decimals, t.Known = m.Decimals, true
	if t.Mint != swapcast.NativeMint() {
		t.Supply, t.SupplyKnown = m.Supply, true
	}
	r.outcome = unnamed
	elsewhere := !m.Pointer.IsZero() && m.Pointer != t.Mint
	if m.HasMetadata && !elsewhere {
		r.name(m.Symbol, m.Name, true)
		return
	}
	if metaplex != nil {
		symbol, name, err := ParseMetaplex(t.Mint, metaplex.Owner, accountData(metaplex))
		r.name(symbol, name, err == nil)
	}
	if elsewhere && m.Pointer != metaplexKey {
		r.pointer = m.Pointer
	}
}

// name sets the names where there are any.
func (r *result) name(symbol, name string, ok bool) {
	if ok && (symbol != "" || name != "") {
		r.token.Symbol, r.token.Name, r.outcome = symbol, name, found
	}
}

// pointedNames reads the names out of an account that a MetadataPointer names.
func pointedNames(mint solana.PublicKey, a *rpc.Account) (symbol, name string, ok bool) {
	data := accountData(a)
	if a.Owner == metaplexProgram {
		symbol, name, err := ParseMetaplex(mint, a.Owner, data)
		return symbol, name, err == nil
	}
	// A Token-2022 mint may keep the metadata of another mint.
	m, err := ParseMint(mint, a.Owner, data)
	return m.Symbol, m.Name, err == nil && m.HasMetadata
}

// accountData is the account's bytes, nil where the node sent something else.
func accountData(a *rpc.Account) []byte {
	if a.Data == nil {
		return nil
	}
	return a.Data.GetBinary()
}
