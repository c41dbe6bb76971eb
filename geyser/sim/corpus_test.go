package sim_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/geyser/sim"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// unseen are shapes that the market makes and the corpus does not hold, each
// with its reason. The shapes have this form:
// DEX discriminator data-length accounts [what it calls].
//
//nolint:gochecknoglobals // a table, never written
var unseen = map[string]string{
	"pumpfun 66063d1201daebea 24 18 [pfee token:12/10/4 system:2/12 system:2/12 system:2/12 system:2/12 self:bddb7fd34ee661ee]": "the corpus has a creator's first buy only, with the rent of his vault (and buy_exact_sol_in without it)",
	"pumpfun 33e685a4017f83ad 24 16 [pfee token:12/10/4 self:bddb7fd34ee661ee]":                                                 "sell of 2026: the corpus has sells of 2025 only",
	"pumpswap 33e685a4017f83ad 24 21 [pfee token:12/10/4 token:12/10/4 token:12/10/4 token:12/10/4 self:3e2f370aa503dc2a]":      "sell with the fee program: the corpus has older ones",
	"meteora-damm-v2 f8c69e91e17587c8 24 14 [token:12/10/4 token:12/10/4 self:bd4233a826507599]":                                "EvtSwap2 of 2026, the corpus has EvtSwap",
	"meteora-damm-v2 414b3f4ceb5b5b88 25 14 [token:12/10/4 token:12/10/4 self:bd4233a826507599]":                                "swap2 is younger than the corpus",
	"meteora-dlmm 414b3f4ceb5b5b88 28 18 [self:516ce3becdd00ac4 token:12/10/4 token:12/10/4]":                                   "two bin arrays, the corpus has one or three",
}

// TestShapesAreThoseOfRealTransactions compares the form of every swap
// instruction (its discriminator, data length, number of accounts, the calls it
// makes and the events it emits) with those found in real transactions.
func TestShapesAreThoseOfRealTransactions(t *testing.T) {
	dir := parsertest.CorpusDir(t)
	f, err := capture.Open(filepath.Join(dir, "tx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	real := newShapes()
	dec := geyser.NewDecoder()
	var tx swapcast.Transaction
	for {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		var item *capture.ItemError
		if errors.As(err, &item) {
			continue // jsonParsed ones that cannot be taken without loss
		}
		if err != nil {
			t.Fatal(err)
		}
		if x := u.GetTransaction(); x != nil {
			if err := dec.Transaction(x, &tx); err == nil && !tx.Failed {
				real.add(&tx)
			}
		}
	}
	if len(real.calls) < 20 {
		t.Fatalf("only %d shapes in the corpus", len(real.calls))
	}

	m, err := sim.New(sim.Options{Seed: 9, TPS: 2000, Launches: 900})
	if err != nil {
		t.Fatal(err)
	}
	made := newShapes()
	for range 8_000 {
		u, err := m.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if x := u.GetTransaction(); x != nil {
			if err := dec.Transaction(x, &tx); err != nil {
				t.Fatal(err)
			}
			if !tx.Failed {
				made.add(&tx)
			}
		}
	}
	for s, n := range made.calls {
		if _, ok := unseen[s]; !ok && real.calls[s] == 0 {
			t.Errorf("%d instructions of a form that no real transaction has: %s", n, s)
		}
	}
	for s := range unseen {
		if made.calls[s] == 0 {
			t.Errorf("the market no longer makes %s", s)
		}
		if real.calls[s] != 0 {
			t.Errorf("the corpus does hold %s", s)
		}
	}
	for s, n := range made.logs {
		// TradeEvent of a sell is one byte longer, by the name it carries; the
		// corpus has sells of 2025 only.
		if s == "data bddb7fd34ee661ee, 359 bytes" {
			continue
		}
		if real.logs[s] == 0 {
			t.Errorf("%d log events of a form that no real transaction has: %s", n, s)
		}
	}
	for form, places := range made.roles {
		for i, kinds := range places {
			for k := range kinds {
				if real.roles[form] != nil && !real.roles[form][i][k] {
					t.Errorf("%s: account %d is %s, in real transactions %v", form, i, k, real.roles[form][i])
				}
			}
		}
	}
	t.Logf("%d forms of instructions and %d of log events compared", len(made.calls), len(made.logs))
}

type shapes struct {
	calls, logs map[string]int
	// roles says, for each form and each position of its account list, what
	// kinds of account stood there.
	roles map[string][]map[string]bool
}

func newShapes() shapes {
	return shapes{calls: map[string]int{}, logs: map[string]int{}, roles: map[string][]map[string]bool{}}
}

// wellKnown are accounts that a program has only one of: each has its place in
// an account list.
//
//nolint:gochecknoglobals // a set, never written
var wellKnown = map[string]bool{
	"11111111111111111111111111111111": true, "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": true,
	"ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL": true, "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr": true,
	"675kPX9MHTjS2zt1qfr1NYHuzeLXfQM9H24wFSUt1Mp8": true, "5Q544fKrFoe6tsEbD7S8EmxGTJYAKtTVhAW5Q5pge4j1": true,
	"GpMZbSM2GgvTKHJirzeGfMFoaZ8UR2X7F4v8vHTvxFbL": true, "CPMMoo8L3F4NbTegBCKVNunggL7H1ZpdTHKxQB5qKP1C": true,
	"D1ZN9Wj1fRSUQfCjhvnu1hqDMT7hzjzBBpi12nVniYD6": true, "LBUZKhRxPF3XUpBCjp4YzTKgLccjZhTSDM9YuVaPwxo": true,
	"3rmHSu74h1ZcmAisVcWerTCiRDQbUrBKmcwptYGjHfet": true, "cpamdpZCGKUy5JxQXB4dcpGPiikHawvSWAd6mEn1sGG": true,
	"HLnpSz9h2S4hiLQ43rnSD9XkcUThA7B8hQMKmDaiTLcC": true, "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P": true,
	"4wTV1YmiEkRvAtNtsSGPtUrqRYQMe5SKy2uB4Jjaxnjf": true, "Ce6TQqeHC9p8KetsN6JsjHK7UTZk7nasjjnr7XxXp9F1": true,
	"Hq2wp8uJ9jCPsYgNHex8RtqdvMPfVGoYwjvF1ATiwn2Y": true, "8Wf5TiAheLUqBrKXeYg2JtAFFMWtKdG2BSFgqUcPVwTt": true,
	"pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ": true, "pAMMBay6oceH9fJKBRHGP5D4bD4sWpmSwMn52FMfXEA": true,
	"ADyA8hdefvWN2dbGGWFotbzWxrAvLW83WG6QCVXvJKqw": true, "GS4CU59F31iL7aR2Q8zVS8DRrcRnXX1yjQ66TqNVQnaR": true,
	"C2aFPdENg4A2HQsmrd5rTw5TaYBX5Ku887cWjbFKtZpw": true, "5PHirr8joyTMp9JMm6nW7hNDVyEYdkzDqazxPD7RaTjx": true,
	"CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK": true, "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc": true,
	"TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb": true,
}

// role says what kind of account stands at an index.
func role(tx *swapcast.Transaction, i uint8) string {
	k := tx.Keys[i].String()
	if wellKnown[k] {
		if k == solana.Token2022ProgramID.String() {
			return solana.TokenProgramID.String() // a mint is of one of the two
		}
		return k
	}
	for _, rows := range [...][]swapcast.TokenBalance{tx.PreTokens, tx.PostTokens} {
		for _, r := range rows {
			if r.Account == i {
				return "tokens"
			}
			if r.Mint == tx.Keys[i] {
				return "mint"
			}
		}
	}
	if r := transferRole(tx, i); r != "" {
		return r
	}
	if int(i) < tx.NumSigners {
		return "signer"
	}
	return "state"
}

// transferRole says what an account is to the token transfers: an account that
// the transaction makes and closes again is in no row of token balances.
func transferRole(tx *swapcast.Transaction, i uint8) string {
	for j := range tx.Instructions {
		ix := &tx.Instructions[j]
		if p := tx.Keys[ix.Program]; p != solana.TokenProgramID && p != solana.Token2022ProgramID {
			continue
		}
		var to, by int
		switch {
		case len(ix.Data) == 9 && ix.Data[0] == 3 && len(ix.Accounts) >= 3:
			to, by = 1, 2
		case len(ix.Data) == 10 && ix.Data[0] == 12 && len(ix.Accounts) >= 4:
			to, by = 2, 3
		default:
			continue
		}
		switch i {
		case ix.Accounts[0], ix.Accounts[to]:
			return "tokens"
		case ix.Accounts[by]:
			return "authority"
		}
	}
	return ""
}

func (s *shapes) place(tx *swapcast.Transaction, form string, accounts []byte) {
	if s.roles[form] == nil {
		s.roles[form] = make([]map[string]bool, len(accounts))
		for i := range accounts {
			s.roles[form][i] = map[string]bool{}
		}
	}
	for i, a := range accounts {
		s.roles[form][i][role(tx, a)] = true
	}
}

// swapDiscs are the swap instructions that the market makes.
//
//nolint:gochecknoglobals // a table, never written
var swapDiscs = map[string][]string{
	"raydium-v4":      {"09"},
	"raydium-cpmm":    {"8fbe5adac41e33de"},
	"raydium-clmm":    {"f8c69e91e17587c8", "2b04ed0b1ac91e62"},
	"orca-whirlpool":  {"f8c69e91e17587c8", "2b04ed0b1ac91e62"},
	"meteora-dlmm":    {"f8c69e91e17587c8", "414b3f4ceb5b5b88"},
	"meteora-damm-v2": {"f8c69e91e17587c8", "414b3f4ceb5b5b88"},
	"pumpfun":         {"66063d1201daebea", "33e685a4017f83ad"},
	"pumpswap":        {"66063d1201daebea", "33e685a4017f83ad"},
}

func (s *shapes) add(tx *swapcast.Transaction) {
	names := map[solana.PublicKey]string{}
	for _, d := range parser.DEXes() {
		names[d.Program] = d.Name
	}
	for i := range tx.Instructions {
		ix := &tx.Instructions[i]
		name := names[tx.Keys[ix.Program]]
		n := 8
		if name == "raydium-v4" {
			n = 1
		}
		if len(ix.Data) < n || ix.Depth == 0 {
			continue
		}
		disc := hex.EncodeToString(ix.Data[:n])
		if !slices.Contains(swapDiscs[name], disc) {
			continue
		}
		form := fmt.Sprintf("%s %s %d %d [%s]", name, disc, len(ix.Data), len(ix.Accounts), strings.Join(children(tx, i), " "))
		s.calls[form]++
		s.place(tx, form, ix.Accounts)
	}
	for _, l := range tx.Logs {
		if text, ok := strings.CutPrefix(l, "Program data: "); ok {
			if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) > 8 {
				switch hex.EncodeToString(b[:8]) {
				case "1b72a94ddeeb6376", "b1310cd2a076a774": // made-up names are of any length; never seen
				default:
					s.logs[fmt.Sprintf("data %x, %d bytes", b[:8], len(b))]++
				}
			}
		}
		if text, ok := strings.CutPrefix(l, "Program log: ray_log: A"); ok {
			s.logs[fmt.Sprintf("ray_log of %d characters", len(text))]++
		}
	}
}

// children names what an instruction calls directly.
func children(tx *swapcast.Transaction, i int) (out []string) {
	ix := &tx.Instructions[i]
	for _, c := range tx.Instructions[i+1:] {
		if c.Outer != ix.Outer || c.Depth <= ix.Depth {
			break
		}
		if c.Depth != ix.Depth+1 {
			continue
		}
		switch p := tx.Keys[c.Program]; p.String() {
		case solana.TokenProgramID.String(), solana.Token2022ProgramID.String():
			out = append(out, fmt.Sprintf("token:%d/%d/%d", c.Data[0], len(c.Data), len(c.Accounts)))
		case "pfeeUxB6jkeY1Hxd7CsFCAjcbHA9rWtchMGdZ6VojVZ":
			out = append(out, "pfee")
		case solana.SystemProgramID.String():
			if c.Data[0] != 0 { // accounts are created only the first time
				out = append(out, fmt.Sprintf("system:%d/%d", c.Data[0], len(c.Data)))
			}
		default:
			if p != tx.Keys[ix.Program] || len(c.Data) < 16 {
				out = append(out, "other")
				continue
			}
			if d := hex.EncodeToString(c.Data[8:16]); d != "5f72619cd42e9808" { // a curve completes once
				out = append(out, "self:"+d)
			}
		}
	}
	return out
}
