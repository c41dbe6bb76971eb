package geyser

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/swapcast/swapcast"
)

// TokenAccounts says how the transactions of a wallet's token accounts are
// found. Only the token account is named in a transfer to a wallet, so a filter
// by the wallet alone misses what it is sent.
type TokenAccounts string

const (
	// TokenAccountsAuto asks the server for its version, and goes by that.
	TokenAccountsAuto TokenAccounts = ""
	// TokenAccountsOn has the server match the owners of the token accounts
	// whose balances changed: nothing is missed. It needs plugin 15.1; an older
	// one ignores the wish without a word.
	TokenAccountsOn TokenAccounts = "on"
	// TokenAccountsOff watches the associated token accounts of Filter.Mints, of
	// both token programs. Missed is what a wallet is sent of other mints, or into
	// token accounts at other addresses.
	TokenAccountsOff TokenAccounts = "off"
)

func (t TokenAccounts) valid() bool {
	return t == TokenAccountsAuto || t == TokenAccountsOn || t == TokenAccountsOff
}

// The field token_accounts of SubscribeRequestFilterTransactions, in the protos
// from 12.6.0 (plugin 15.1, August 2026) on, which the stubs that we build with
// do not know; and its value BALANCE_CHANGED: include lists match the owners of
// token balances that differ before and after, too.
const (
	tokenAccountsField   = 30
	tokenAccountsChanged = 1
)

// matchOwners makes f match the owners of token accounts whose balance changed.
func matchOwners(f *pb.SubscribeRequestFilterTransactions) {
	b := protowire.AppendTag(nil, tokenAccountsField, protowire.VarintType)
	f.ProtoReflect().SetUnknown(protowire.AppendVarint(b, tokenAccountsChanged))
}

// knowsOwners reads GetVersion's JSON: whether the server knows the field.
func knowsOwners(version string) (bool, error) {
	var v struct {
		Version struct{ Package, Version, Proto string }
	}
	if err := json.Unmarshal([]byte(version), &v); err != nil {
		return false, fmt.Errorf("version: %w", err)
	}
	return atLeast(v.Version.Proto, 12, 6) ||
		v.Version.Package == "yellowstone-grpc-geyser" && atLeast(v.Version.Version, 15, 1), nil
}

// atLeast compares the first two numbers of a version such as 15.1.2 or
// 16.0.0-rc1+solana.4.3.0.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	x, err := strconv.Atoi(parts[0])
	y, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (x > major || x == major && y >= minor)
}

// tokenAccounts are the associated token accounts of a wallet for the filter's
// mints, of both token programs: a mint belongs to one of them, and which is not
// known here. They are derived once, which takes some 10 us each. Needs mu.
func (p *plan) tokenAccounts(wallet solana.PublicKey) []solana.PublicKey {
	if keys, ok := p.derived[wallet]; ok {
		return keys
	}
	mints := p.filter.Mints
	if len(mints) == 0 {
		mints = []solana.PublicKey{solana.WrappedSol, swapcast.USDC(), swapcast.USDT()}
	}
	keys := make([]solana.PublicKey, 0, 2*len(mints))
	for _, mint := range mints {
		for _, program := range [...]solana.PublicKey{solana.TokenProgramID, solana.Token2022ProgramID} {
			// The error is that no address is off the curve: one in 2^256.
			if k, _, err := solana.FindAssociatedTokenAddressWithProgram(wallet, mint, program); err == nil {
				keys = append(keys, k)
			}
		}
	}
	p.derived[wallet] = keys
	return keys
}
