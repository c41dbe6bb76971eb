package replay

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// accountFilter is one accounts filter. Every condition that is set must hold;
// of accounts and of owners one is enough.
type accountFilter struct {
	name      string
	accounts  *keySet
	owners    *keySet
	signature *bool // nonempty_txn_signature
	state     []func(*pb.SubscribeUpdateAccountInfo) bool
}

func accountFilters(m map[string]*pb.SubscribeRequestFilterAccounts) ([]accountFilter, error) {
	var out []accountFilter
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		r := m[name]
		f := accountFilter{name: name}
		if r != nil {
			f.signature = r.NonemptyTxnSignature
		}
		var err error
		if f.accounts, err = newKeySet(r.GetAccount()); err != nil {
			return nil, err
		}
		if f.owners, err = newKeySet(r.GetOwner()); err != nil {
			return nil, err
		}
		if f.state, err = stateFilters(r.GetFilters()); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (f *accountFilter) match(a *pb.SubscribeUpdateAccountInfo) bool {
	if f.signature != nil && *f.signature != (a.GetTxnSignature() != nil) {
		return false
	}
	if f.accounts != nil {
		if key, ok := keyOf(a.GetPubkey()); !ok || !f.accounts.has(&key) {
			return false
		}
	}
	if f.owners != nil {
		if key, ok := keyOf(a.GetOwner()); !ok || !f.owners.has(&key) {
			return false
		}
	}
	for _, ok := range f.state {
		if !ok(a) {
			return false
		}
	}
	return true
}

// Limits of the real server on an account filter's `filters`.
const (
	maxStateFilters = 4
	maxMemcmp       = 128
	maxMemcmp58     = 175 // longest base58 text of 128 bytes
	maxMemcmp64     = 172 // base64 text of 128 bytes
)

func stateFilters(list []*pb.SubscribeRequestFilterAccountsFilter) ([]func(*pb.SubscribeUpdateAccountInfo) bool, error) {
	if len(list) > maxStateFilters {
		return nil, fmt.Errorf("Too many filters provided; max %d", maxStateFilters) //nolint:staticcheck // the real server's words
	}
	var out []func(*pb.SubscribeUpdateAccountInfo) bool
	sized := false
	for _, f := range list {
		switch m := f.GetFilter().(type) {
		case *pb.SubscribeRequestFilterAccountsFilter_Memcmp:
			want, err := memcmpData(m.Memcmp)
			if err != nil {
				return nil, err
			}
			offset := m.Memcmp.GetOffset()
			out = append(out, func(a *pb.SubscribeUpdateAccountInfo) bool {
				data := a.GetData()
				return offset <= uint64(len(data)) && bytes.HasPrefix(data[offset:], want)
			})
		case *pb.SubscribeRequestFilterAccountsFilter_Datasize:
			if sized {
				return nil, errors.New("datasize used more than once")
			}
			sized = true
			out = append(out, func(a *pb.SubscribeUpdateAccountInfo) bool {
				return uint64(len(a.GetData())) == m.Datasize
			})
		case *pb.SubscribeRequestFilterAccountsFilter_TokenAccountState:
			if !m.TokenAccountState {
				return nil, errors.New("token_account_state only allowed to be true")
			}
			out = append(out, func(a *pb.SubscribeUpdateAccountInfo) bool { return isTokenAccount(a.GetData()) })
		case *pb.SubscribeRequestFilterAccountsFilter_Lamports:
			cmp, err := lamportsFilter(m.Lamports)
			if err != nil {
				return nil, err
			}
			out = append(out, cmp)
		default:
			return nil, errors.New("filter should be defined")
		}
	}
	return out, nil
}

func lamportsFilter(f *pb.SubscribeRequestFilterAccountsFilterLamports) (func(*pb.SubscribeUpdateAccountInfo) bool, error) {
	switch c := f.GetCmp().(type) {
	case *pb.SubscribeRequestFilterAccountsFilterLamports_Eq:
		return func(a *pb.SubscribeUpdateAccountInfo) bool { return a.GetLamports() == c.Eq }, nil
	case *pb.SubscribeRequestFilterAccountsFilterLamports_Ne:
		return func(a *pb.SubscribeUpdateAccountInfo) bool { return a.GetLamports() != c.Ne }, nil
	case *pb.SubscribeRequestFilterAccountsFilterLamports_Lt:
		return func(a *pb.SubscribeUpdateAccountInfo) bool { return a.GetLamports() < c.Lt }, nil
	case *pb.SubscribeRequestFilterAccountsFilterLamports_Gt:
		return func(a *pb.SubscribeUpdateAccountInfo) bool { return a.GetLamports() > c.Gt }, nil
	default:
		return nil, errors.New("cmp for lamports should be defined")
	}
}

func memcmpData(m *pb.SubscribeRequestFilterAccountsFilterMemcmp) ([]byte, error) {
	var data []byte
	var err error
	switch d := m.GetData().(type) {
	case *pb.SubscribeRequestFilterAccountsFilterMemcmp_Bytes:
		data = d.Bytes
	case *pb.SubscribeRequestFilterAccountsFilterMemcmp_Base58:
		if len(d.Base58) > maxMemcmp58 {
			return nil, errors.New("data too large")
		}
		if data, err = base58.Decode(d.Base58); err != nil {
			return nil, errors.New("invalid base58")
		}
	case *pb.SubscribeRequestFilterAccountsFilterMemcmp_Base64:
		if len(d.Base64) > maxMemcmp64 {
			return nil, errors.New("data too large")
		}
		if data, err = base64.StdEncoding.DecodeString(d.Base64); err != nil {
			return nil, errors.New("invalid base64")
		}
	default:
		return nil, errors.New("data for memcmp should be defined")
	}
	if len(data) > maxMemcmp {
		return nil, errors.New("data too large")
	}
	return data, nil
}

// Layout of a token account (spl-token and token-2022 state.rs): 165 bytes with
// the state at 108, 0 meaning not initialized; token-2022 accounts with
// extensions are longer and have their account type at 165, 2 for an account.
// A multisig is 355 bytes long and is none.
const (
	tokenAccountLen  = 165
	tokenStateAt     = 108
	tokenTypeAccount = 2
	tokenMultisigLen = 355
)

func isTokenAccount(data []byte) bool {
	if len(data) < tokenAccountLen || data[tokenStateAt] == 0 {
		return false
	}
	return len(data) == tokenAccountLen ||
		len(data) != tokenMultisigLen && data[tokenAccountLen] == tokenTypeAccount
}

// sliced returns a with the wanted ranges of its data only. A range that
// reaches beyond the data is left out, as the real server does.
func sliced(a *pb.SubscribeUpdateAccountInfo, want []dataSlice) *pb.SubscribeUpdateAccountInfo {
	if len(want) == 0 {
		return a
	}
	var data []byte
	for _, s := range want {
		if s.end <= uint64(len(a.GetData())) {
			data = append(data, a.GetData()[s.start:s.end]...)
		}
	}
	return &pb.SubscribeUpdateAccountInfo{
		Pubkey: a.GetPubkey(), Lamports: a.GetLamports(), Owner: a.GetOwner(), Executable: a.GetExecutable(),
		RentEpoch: a.GetRentEpoch(), Data: data, WriteVersion: a.GetWriteVersion(), TxnSignature: a.GetTxnSignature(),
	}
}

func slicedAccount(u *update, want []dataSlice) ([]byte, error) {
	body, err := proto.Marshal(&pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Account{
		Account: &pb.SubscribeUpdateAccount{
			Account: sliced(u.account.GetAccount(), want), Slot: u.slot, IsStartup: u.account.GetIsStartup(),
		},
	}})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "encode account of slot %d: %v", u.slot, err)
	}
	return append(body, u.created...), nil
}
