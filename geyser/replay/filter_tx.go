package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// txFilter is one transactions or transactions_status filter. Every condition
// that is set must hold; of include one key is enough, of required all are
// needed.
type txFilter struct {
	name      string
	vote      *bool
	failed    *bool
	signature *solana.Signature
	include   *keySet
	exclude   *keySet
	required  []solana.PublicKey
	// tokens widens the keys that the lists are compared with by the owners of
	// the transaction's token accounts.
	tokens tokenMode
}

func txFilters(m map[string]*pb.SubscribeRequestFilterTransactions) ([]txFilter, error) {
	var out []txFilter
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f, err := newTxFilter(name, m[name])
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func newTxFilter(name string, r *pb.SubscribeRequestFilterTransactions) (f txFilter, err error) {
	if err := checkName(name); err != nil {
		return f, err
	}
	f.name = name
	if r == nil {
		return f, nil
	}
	f.vote, f.failed = r.Vote, r.Failed
	if r.Signature != nil {
		sig, err := solana.SignatureFromBase58(r.GetSignature())
		if err != nil {
			return f, fmt.Errorf("signature %q is not the base58 of 64 bytes", short(r.GetSignature()))
		}
		f.signature = &sig
	}
	if f.include, err = newKeySet(r.GetAccountInclude()); err != nil {
		return f, err
	}
	if f.exclude, err = newKeySet(r.GetAccountExclude()); err != nil {
		return f, err
	}
	for _, text := range r.GetAccountRequired() {
		key, err := parseKey(text)
		if err != nil {
			return f, err
		}
		f.required = append(f.required, key)
	}
	f.tokens, err = tokenModeOf(r)
	return f, err
}

func (f *txFilter) match(tx *txFacts) bool {
	if f.vote != nil && *f.vote != tx.vote ||
		f.failed != nil && *f.failed != tx.failed ||
		f.signature != nil && *f.signature != tx.signature {
		return false
	}
	if f.include == nil && f.exclude == nil && f.required == nil {
		return true
	}
	if tx.keys == nil { // the source has the status only: its accounts are not known
		return false
	}
	var owners []solana.PublicKey
	if f.tokens != tokensOff {
		owners = tx.owners(f.tokens)
	}
	if f.include != nil && !f.include.any(tx.keys) && !f.include.any(owners) {
		return false
	}
	if f.exclude != nil && (f.exclude.any(tx.keys) || f.exclude.any(owners)) {
		return false
	}
	for _, key := range f.required {
		if !slices.Contains(tx.keys, key) && !slices.Contains(owners, key) {
			return false
		}
	}
	return true
}

func parseKey(text string) (solana.PublicKey, error) {
	if len(text) > maxKeyText {
		return solana.PublicKey{}, fmt.Errorf("pubkey %q: String is the wrong size", short(text))
	}
	key, err := solana.PublicKeyFromBase58(text)
	if err != nil {
		return key, fmt.Errorf("pubkey %q: %w", short(text), errNotKey)
	}
	return key, nil
}

var errNotKey = errors.New("not the base58 of 32 bytes")

// maxKeyText is the longest base58 text of 32 bytes.
const maxKeyText = 44

// short keeps what a client sent from filling an error message.
func short(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}
