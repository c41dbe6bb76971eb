package secondopinion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// side is one of the two tokens of a pool.
type side struct{ pool, mint solana.PublicKey }

// vaults is what the balances before and after a transaction say of the pools
// that we see swaps of.
type vaults struct {
	tx       *swapcast.Transaction
	swaps    []swapcast.Swap
	routed   []bool          // whether an event of Jupiter has told of the swap
	net      map[side]int64  // the sum of our swaps
	accounts map[side][]byte // of their instructions
}

func newVaults(tx *swapcast.Transaction, swaps []swapcast.Swap) *vaults {
	v := &vaults{tx: tx, swaps: swaps, routed: make([]bool, len(swaps)), net: map[side]int64{}, accounts: map[side][]byte{}}
	for i := range swaps {
		s := &swaps[i]
		at := slices.IndexFunc(tx.Instructions, func(ix swapcast.Instruction) bool {
			return int(ix.Outer) == s.Path.Outer && int(ix.Inner) == s.Path.Inner
		})
		for k, n := range map[side]int64{{s.Pool, s.MintIn}: int64(s.AmountIn), {s.Pool, s.MintOut}: -int64(s.AmountOut)} {
			v.net[k] += n
			v.accounts[k] = append(v.accounts[k], tx.Instructions[at].Accounts...)
		}
	}
	return v
}

// of says what the vaults of a swap's pool gained and lost over the whole
// transaction, and whether that is what our swaps of the pool sum up to.
func (v *vaults) of(s *swapcast.Swap) (string, bool) {
	held := true
	var parts []string
	for _, m := range []solana.PublicKey{s.MintIn, s.MintOut} {
		k := side{s.Pool, m}
		part := fmt.Sprintf("none by %+d %s", v.net[k], short(m.String()))
		found := false
		for _, a := range slices.Compact(slices.Sorted(slices.Values(v.accounts[k]))) {
			if change, ok := v.change(a, m); ok && (change == v.net[k] || change == v.through(a, s.Program, m)) {
				part, found = fmt.Sprintf("%s %+d %s", short(v.tx.Keys[a].String()), change, short(m.String())), true
				break
			}
		}
		held = held && found
		parts = append(parts, part)
	}
	return strings.Join(parts, ", "), held
}

// through sums up what our swaps of a program moved of a mint, where their
// instructions name the account: pools may share a vault.
func (v *vaults) through(account byte, program, m solana.PublicKey) (net int64) {
	for i := range v.swaps {
		s := &v.swaps[i]
		if s.Program != program || !slices.Contains(v.accounts[side{s.Pool, m}], account) {
			continue
		}
		switch m {
		case s.MintIn:
			net += int64(s.AmountIn)
		case s.MintOut:
			net -= int64(s.AmountOut)
		}
	}
	return net
}

// change is what an account gained of a mint, if no signer owns it.
func (v *vaults) change(account byte, m solana.PublicKey) (int64, bool) {
	pre, _ := tokenRow(v.tx.PreTokens, account, m)
	post, owner := tokenRow(v.tx.PostTokens, account, m)
	if pre != post && !slices.Contains(v.tx.Keys[:v.tx.NumSigners], owner) {
		return int64(post) - int64(pre), true
	}
	if m == swapcast.NativeMint() && pre == 0 && post == 0 && int(account) >= v.tx.NumSigners {
		change := int64(v.tx.PostBalances[account]) - int64(v.tx.PreBalances[account])
		return change, change != 0
	}
	return 0, false
}

// moved lists the accounts of other people than the signers that gained or lost
// one of a trade's mints, where we see no swap to name a pool.
func (v *vaults) moved(t *trade) string {
	var parts []string
	for _, text := range slices.Compact([]string{mint(t.InMint), mint(t.OutMint)}) {
		m, err := solana.PublicKeyFromBase58(text)
		if err != nil {
			return "no mint"
		}
		for a := range v.tx.Keys {
			pre, _ := tokenRow(v.tx.PreTokens, byte(a), m)
			post, owner := tokenRow(v.tx.PostTokens, byte(a), m)
			if pre != post && !slices.Contains(v.tx.Keys[:v.tx.NumSigners], owner) {
				parts = append(parts, fmt.Sprintf("%s %+d %s", short(v.tx.Keys[a].String()), int64(post)-int64(pre), short(text)))
			}
		}
	}
	if len(parts) == 0 {
		return "nothing moved"
	}
	return strings.Join(parts, ", ")
}

func tokenRow(rows []swapcast.TokenBalance, account byte, m solana.PublicKey) (uint64, solana.PublicKey) {
	for i := range rows {
		if rows[i].Account == account && rows[i].Mint == m {
			return rows[i].Amount, rows[i].Owner
		}
	}
	return 0, solana.PublicKey{}
}
