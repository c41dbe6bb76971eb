package parser_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// knownKeys are those that a byte can stand for in a fuzzed transaction; any
// other key stands as its 32 bytes.
func knownKeys() []solana.PublicKey {
	keys := []solana.PublicKey{
		solana.TokenProgramID, solana.Token2022ProgramID, solana.SystemProgramID, solana.MemoProgramID,
		swapcast.NativeMint(), swapcast.USDC(),
	}
	for _, d := range parser.DEXes() {
		keys = append(keys, d.Program)
	}
	return keys
}

const rawKey = 0xff

// packer writes a transaction as the bytes that unpack reads.
type packer struct{ out []byte }

func (p *packer) u8(v int)       { p.out = append(p.out, byte(v)) }
func (p *packer) u64(v uint64)   { p.out = binary.LittleEndian.AppendUint64(p.out, v) }
func (p *packer) bytes(b []byte) { p.u8(len(b) >> 8); p.u8(len(b)); p.out = append(p.out, b...) }

func pack(tx *swapcast.Transaction) []byte {
	var p packer
	flags := 0
	if tx.InnerKnown {
		flags |= 1
	}
	if tx.Failed {
		flags |= 2
	}
	p.u8(flags)
	p.u8(tx.NumSigners)
	known := knownKeys()
	p.u8(len(tx.Keys))
	for _, k := range tx.Keys {
		p.key(known, k)
	}
	p.u8(len(tx.Instructions))
	for _, ix := range tx.Instructions {
		p.u8(int(ix.Program))
		p.u8(int(ix.Depth))
		p.u8(int(ix.Outer))
		p.u8(int(ix.Inner))
		p.bytes(ix.Accounts)
		p.bytes(ix.Data)
	}
	for _, rows := range [][]swapcast.TokenBalance{tx.PreTokens, tx.PostTokens} {
		p.u8(len(rows))
		for _, r := range rows {
			p.u8(int(r.Account))
			p.u8(int(r.Decimals))
			p.u64(r.Amount)
			p.key(known, r.Mint)
			p.key(known, r.Owner)
		}
	}
	p.u8(len(tx.Logs))
	for _, l := range tx.Logs {
		p.bytes([]byte(l))
	}
	n := min(len(tx.PreBalances), len(tx.PostBalances), len(tx.Keys))
	p.u8(n)
	for i := range n {
		p.u64(tx.PreBalances[i])
		p.u64(tx.PostBalances[i])
	}
	return p.out
}

func (p *packer) key(known []solana.PublicKey, k solana.PublicKey) {
	for i := range known {
		if known[i] == k {
			p.u8(i)
			return
		}
	}
	p.u8(rawKey)
	p.out = append(p.out, k[:]...)
}

// unpacker makes a transaction of any bytes, with no regard for what a producer
// guarantees: indexes point anywhere. Behind the end everything is zero.
type unpacker struct{ in []byte }

func (u *unpacker) u8() int {
	if len(u.in) == 0 {
		return 0
	}
	b := u.in[0]
	u.in = u.in[1:]
	return int(b)
}

func (u *unpacker) u64() (v uint64) {
	for i := range 8 {
		v |= uint64(u.u8()) << (8 * i)
	}
	return v
}

func (u *unpacker) bytes() []byte {
	n := min(u.u8()<<8|u.u8(), len(u.in))
	b := u.in[:n:n]
	u.in = u.in[n:]
	return b
}

func (u *unpacker) key(known []solana.PublicKey) (k solana.PublicKey) {
	tag := u.u8()
	if tag < len(known) {
		return known[tag]
	}
	if tag == rawKey {
		n := copy(k[:], u.in)
		u.in = u.in[n:]
		return k
	}
	k[0] = byte(tag)
	return k
}

func (u *unpacker) rows(known []solana.PublicKey) (out []swapcast.TokenBalance) {
	for range u.u8() {
		out = append(out, swapcast.TokenBalance{
			Account: uint8(u.u8()), Decimals: uint8(u.u8()), Amount: u.u64(), Mint: u.key(known), Owner: u.key(known),
		})
	}
	return out
}

func unpack(data []byte) *swapcast.Transaction {
	u := unpacker{in: data}
	known := knownKeys()
	flags := u.u8()
	tx := &swapcast.Transaction{InnerKnown: flags&1 != 0, Failed: flags&2 != 0, NumSigners: u.u8()}
	for range u.u8() {
		tx.Keys = append(tx.Keys, u.key(known))
		tx.PreBalances = append(tx.PreBalances, uint64(len(u.in)))
	}
	tx.PostBalances = append(tx.PostBalances, tx.PreBalances...)
	for range u.u8() {
		tx.Instructions = append(tx.Instructions, swapcast.Instruction{
			Program: uint8(u.u8()), Depth: uint8(u.u8()), Outer: uint16(u.u8()), Inner: int16(int8(u.u8())),
			Accounts: u.bytes(), Data: u.bytes(),
		})
	}
	tx.PreTokens, tx.PostTokens = u.rows(known), u.rows(known)
	for range u.u8() {
		tx.Logs = append(tx.Logs, string(u.bytes()))
	}
	for i := range min(u.u8(), len(tx.Keys)) {
		tx.PreBalances[i], tx.PostBalances[i] = u.u64(), u.u64()
	}
	return tx
}

// FuzzParse holds Parse and Balances to what they promise for any content, from
// our fixtures and, where they are at hand, real transactions.
func FuzzParse(f *testing.F) {
	f.Add([]byte(nil))
	for _, x := range parsertest.Fixtures() {
		f.Add(pack(x.Tx))
	}
	if os.Getenv("SWAPCAST_FUZZ_CORPUS") != "" {
		addCorpus(f)
	}
	names := map[string]bool{}
	for _, d := range parser.DEXes() {
		names[d.Name] = true
	}
	p := parser.New()
	f.Fuzz(func(t *testing.T, data []byte) {
		tx := unpack(data)
		var r, again parser.Result
		p.Parse(tx, &r)
		p.Parse(tx, &again)
		if !reflect.DeepEqual(r, again) {
			t.Fatalf("twice the same gives\n%+v\n%+v", r, again)
		}
		if tx.Failed && len(r.Swaps)+len(r.Unparsed) > 0 {
			t.Fatal("a failed transaction yields something")
		}
		for i, s := range r.Swaps {
			switch {
			case s.Index != i, !names[s.DEX], s.AmountIn == 0, s.AmountOut == 0, s.MintIn == s.MintOut,
				s.FeeBps < -1 || s.FeeBps > 10_000,
				s.SpotKnown && (s.Spot <= 0 || math.IsInf(s.Spot, 0) || math.IsNaN(s.Spot)):
				t.Fatalf("%+v", s)
			}
		}
		for _, u := range r.Unparsed {
			if u.Reason == "" || !names[u.DEX] {
				t.Fatalf("%+v", u)
			}
		}
		for i, c := range parser.Balances(tx, nil) {
			if c.Index != i || c.Pre == c.Post {
				t.Fatalf("%+v", c)
			}
		}
	})
}

// addCorpus adds the real transactions that hold swaps.
func addCorpus(f *testing.F) {
	p := parser.New()
	var r parser.Result
	for _, c := range parsertest.Corpus(f) {
		if p.Parse(c.Tx, &r); len(r.Swaps) > 0 && c.Source == "tx" {
			f.Add(pack(c.Tx))
		}
	}
}

// TestPack: packing loses nothing that parsing needs, or fuzzing starts from
// something else than it says.
func TestPack(t *testing.T) {
	p := parser.New()
	var a, b parser.Result
	for _, x := range parsertest.Fixtures() {
		p.Parse(x.Tx, &a)
		p.Parse(unpack(pack(x.Tx)), &b)
		if len(a.Swaps) != len(b.Swaps) || len(a.Unparsed) != len(b.Unparsed) {
			t.Fatalf("%s: %d and %d swaps", x.Name(), len(a.Swaps), len(b.Swaps))
		}
		for i := range a.Swaps {
			if s, u := a.Swaps[i], b.Swaps[i]; s.AmountIn != u.AmountIn || s.AmountOut != u.AmountOut || s.Spot != u.Spot || s.Trader != u.Trader {
				t.Errorf("%s: %+v, %+v", x.Name(), s, u)
			}
		}
	}
}

// TestMutations changes fixtures and, where the corpus is at hand, real
// transactions in ways that keep their shape, which random bytes rarely do.
func TestMutations(t *testing.T) {
	var txs []*swapcast.Transaction
	for _, f := range parsertest.Fixtures() {
		txs = append(txs, f.Tx)
	}
	t.Run("fixtures", func(t *testing.T) { mutations(t, txs, 200) })
	t.Run("corpus", func(t *testing.T) {
		var real []*swapcast.Transaction
		for _, c := range parsertest.Corpus(t) {
			if c.Source == "tx" && !c.Tx.Failed {
				real = append(real, c.Tx)
			}
		}
		mutations(t, real, 8)
	})
}

func mutations(t *testing.T, txs []*swapcast.Transaction, times int) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := parser.New()
	var r parser.Result
	for _, tx := range txs {
		packed := pack(tx)
		for range times {
			m := unpack(packed)
			m.PreBalances, m.PostBalances = tx.PreBalances, tx.PostBalances
			for range 1 + rng.IntN(3) {
				mutate(rng, m)
			}
			p.Parse(m, &r)
			for i, s := range r.Swaps {
				if s.Index != i || s.AmountIn == 0 || s.AmountOut == 0 || s.MintIn == s.MintOut {
					t.Fatalf("%s: %+v", tx.Signature, s)
				}
			}
			parser.Balances(m, nil)
		}
	}
}

// mutate makes one change.
func mutate(rng *rand.Rand, tx *swapcast.Transaction) {
	if len(tx.Instructions) == 0 {
		return
	}
	n := rng.IntN(len(tx.Instructions))
	ix := &tx.Instructions[n]
	switch rng.IntN(9) {
	case 0:
		ix.Data = ix.Data[:rng.IntN(len(ix.Data)+1)]
	case 1:
		ix.Accounts = ix.Accounts[:rng.IntN(len(ix.Accounts)+1)]
	case 2:
		ix.Program = uint8(rng.IntN(256))
	case 3:
		ix.Depth = uint8(rng.IntN(6))
	case 4:
		if len(ix.Accounts) > 0 {
			ix.Accounts = slices.Clone(ix.Accounts)
			ix.Accounts[rng.IntN(len(ix.Accounts))] = uint8(rng.IntN(256))
		}
	case 5:
		if len(ix.Data) > 0 {
			ix.Data = slices.Clone(ix.Data)
			ix.Data[rng.IntN(len(ix.Data))] ^= 1 << rng.IntN(8)
		}
	case 6:
		tx.Instructions = slices.Delete(tx.Instructions, n, n+1)
	case 7:
		tx.Keys = tx.Keys[:rng.IntN(len(tx.Keys)+1)]
	case 8:
		for _, rows := range [][]swapcast.TokenBalance{tx.PreTokens, tx.PostTokens} {
			if len(rows) > 0 {
				r := &rows[rng.IntN(len(rows))]
				r.Account, r.Amount = uint8(rng.IntN(256)), rng.Uint64()
			}
		}
	}
}
