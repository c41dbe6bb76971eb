package parsertest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Builder makes a transaction instruction by instruction, the way the runtime
// would have executed it: balances move with the transfers, logs show every
// call, and inner instructions carry their stack height. Accounts are named by
// labels; a label's key is the same in every transaction.
//
// It panics on a mistake in a fixture, such as an account that holds too little.
type Builder struct {
	tx     swapcast.Transaction
	index  map[solana.PublicKey]int
	tokens map[int]*tokenAccount
	order  []int // token accounts in order of appearance

	outer int
	inner int
	stack []int // positions of the open instructions
}

type tokenAccount struct {
	owner    solana.PublicKey
	mint     Mint
	pre      uint64
	amount   uint64
	born     bool // made by this transaction: no row before it
	closed   bool
	withheld uint64
}

// Mint is a token with what its transfers need.
type Mint struct {
	Key      solana.PublicKey
	Decimals uint8
	Program  solana.PublicKey // token program
	FeeBps   uint64           // Token-2022 transfer fee
}

// Key returns the key of a label. It is no point on the curve more often than
// not, which nothing here minds.
func Key(label string) solana.PublicKey { return sha256.Sum256([]byte("swapcast " + label)) }

// Token returns an SPL token of a label.
func Token(label string, decimals uint8) Mint {
	return Mint{Key: Key(label), Decimals: decimals, Program: solana.TokenProgramID}
}

// WrappedSOL is the native mint.
func WrappedSOL() Mint {
	return Mint{Key: swapcast.NativeMint(), Decimals: 9, Program: solana.TokenProgramID}
}

// USDC is the mint of USD Coin.
func USDC() Mint { return Mint{Key: swapcast.USDC(), Decimals: 6, Program: solana.TokenProgramID} }

// NewBuilder starts a transaction with its signers, the fee payer first.
func NewBuilder(name string, signers ...solana.PublicKey) *Builder {
	b := &Builder{index: map[solana.PublicKey]int{}, tokens: map[int]*tokenAccount{}, outer: -1}
	sum := sha256.Sum256([]byte("signature " + name))
	copy(b.tx.Signature[:], sum[:])
	copy(b.tx.Signature[32:], sum[:])
	b.tx.Slot, b.tx.Index, b.tx.BlockTime, b.tx.Fee = 400_000_000, 7, 1_795_500_000, 5_000
	b.tx.InnerKnown, b.tx.NumSigners = true, len(signers)
	for _, s := range signers {
		b.Lamports(s, 100_000_000_000)
	}
	b.tx.PostBalances[0] -= b.tx.Fee
	return b
}

// account returns the position of a key, adding it at its first appearance.
func (b *Builder) account(key solana.PublicKey) int {
	if i, ok := b.index[key]; ok {
		return i
	}
	i := len(b.tx.Keys)
	b.index[key] = i
	b.tx.Keys = append(b.tx.Keys, key)
	b.tx.PreBalances = append(b.tx.PreBalances, 0)
	b.tx.PostBalances = append(b.tx.PostBalances, 0)
	return i
}

// Lamports says what an account holds before the transaction.
func (b *Builder) Lamports(key solana.PublicKey, amount uint64) solana.PublicKey {
	i := b.account(key)
	b.tx.PreBalances[i], b.tx.PostBalances[i] = amount, amount
	return key
}

// Account adds a token account with what it holds before the transaction.
func (b *Builder) Account(label string, owner solana.PublicKey, mint Mint, amount uint64) solana.PublicKey {
	key := Key(label)
	i := b.account(key)
	b.tokens[i] = &tokenAccount{owner: owner, mint: mint, pre: amount, amount: amount}
	b.order = append(b.order, i)
	b.tx.PreBalances[i], b.tx.PostBalances[i] = 2_039_280, 2_039_280
	return key
}

// Born marks a token account as made by the transaction.
func (b *Builder) Born(key solana.PublicKey) solana.PublicKey {
	b.tokens[b.account(key)].born = true
	return key
}

// Close closes a token account: it has no row after the transaction.
func (b *Builder) Close(key solana.PublicKey) { b.tokens[b.account(key)].closed = true }

// Begin opens an instruction, an outer one where none is open, else one that
// the open one calls. Keys are its accounts.
func (b *Builder) Begin(program solana.PublicKey, data []byte, keys ...solana.PublicKey) {
	ix := swapcast.Instruction{
		Program: uint8(b.account(program)), Depth: uint8(len(b.stack) + 1), Data: data, Inner: -1,
	}
	if len(b.stack) == 0 {
		b.outer++
		b.inner = 0
	} else {
		ix.Inner = int16(b.inner)
		b.inner++
	}
	ix.Outer = uint16(b.outer)
	for _, k := range keys {
		ix.Accounts = append(ix.Accounts, byte(b.account(k)))
	}
	b.stack = append(b.stack, len(b.tx.Instructions))
	b.tx.Instructions = append(b.tx.Instructions, ix)
	b.log("Program %s invoke [%d]", program, len(b.stack))
}

// End closes the open instruction.
func (b *Builder) End() {
	program := b.tx.Keys[b.tx.Instructions[b.stack[len(b.stack)-1]].Program]
	b.log("Program %s consumed 1000 of 200000 compute units", program)
	b.log("Program %s success", program)
	b.stack = b.stack[:len(b.stack)-1]
}

// Call is Begin and End in one.
func (b *Builder) Call(program solana.PublicKey, data []byte, keys ...solana.PublicKey) {
	b.Begin(program, data, keys...)
	b.End()
}

func (b *Builder) log(format string, args ...any) {
	b.tx.Logs = append(b.tx.Logs, fmt.Sprintf(format, args...))
}

// Log adds a line as msg! writes it.
func (b *Builder) Log(text string) { b.log("Program log: %s", text) }

// LogData adds a line as an Anchor event's emit! writes it.
func (b *Builder) LogData(data []byte) {
	b.log("Program data: %s", base64.StdEncoding.EncodeToString(data))
}

// Event makes the open instruction send an Anchor event to its own program.
func (b *Builder) Event(data []byte) {
	ix := b.tx.Instructions[b.stack[len(b.stack)-1]]
	program := b.tx.Keys[ix.Program]
	b.Call(program, append(Hex("e445a52e51cb9a1d"), data...), Key("event authority of "+program.String()))
}

// Transfer makes the open instruction move tokens with TransferChecked, as all
// but the oldest programs do. A Token-2022 fee is withheld without a word.
func (b *Builder) Transfer(from, to, by solana.PublicKey, amount uint64) {
	f := b.tokens[b.account(from)]
	b.move(from, to, amount)
	data := append([]byte{12}, U64(amount)...)
	b.Call(f.mint.Program, append(data, f.mint.Decimals), from, f.mint.Key, to, by)
}

// TransferPlain moves tokens with the old Transfer, which names no mint.
func (b *Builder) TransferPlain(from, to, by solana.PublicKey, amount uint64) {
	f := b.tokens[b.account(from)]
	b.move(from, to, amount)
	b.Call(f.mint.Program, append([]byte{3}, U64(amount)...), from, to, by)
}

// TransferWithFee moves tokens with Token-2022's TransferCheckedWithFee.
func (b *Builder) TransferWithFee(from, to, by solana.PublicKey, amount uint64) {
	f := b.tokens[b.account(from)]
	fee := b.move(from, to, amount)
	data := append([]byte{26, 1}, U64(amount)...)
	data = append(append(data, f.mint.Decimals), U64(fee)...)
	b.Call(f.mint.Program, data, from, f.mint.Key, to, by)
}

func (b *Builder) move(from, to solana.PublicKey, amount uint64) (fee uint64) {
	f, t := b.tokens[b.account(from)], b.tokens[b.account(to)]
	switch {
	case f == nil || t == nil:
		panic("no token account")
	case f.mint != t.mint:
		panic("a transfer between mints")
	case f.amount < amount:
		panic(fmt.Sprintf("%d of %d", amount, f.amount))
	}
	fee = (amount*f.mint.FeeBps + 9_999) / 10_000
	f.amount -= amount
	t.amount += amount - fee
	t.withheld += fee
	return fee
}

// Pay makes the open instruction move lamports with the system program.
func (b *Builder) Pay(from, to solana.PublicKey, lamports uint64) {
	b.Shift(from, to, lamports)
	b.Call(solana.SystemProgramID, append([]byte{2, 0, 0, 0}, U64(lamports)...), from, to)
}

// Shift moves lamports without an instruction, as a program may do with those
// of its own accounts.
func (b *Builder) Shift(from, to solana.PublicKey, lamports uint64) {
	f, t := b.account(from), b.account(to)
	if b.tx.PostBalances[f] < lamports {
		panic("too few lamports")
	}
	b.tx.PostBalances[f] -= lamports
	b.tx.PostBalances[t] += lamports
}

// Amount tells what a token account holds now.
func (b *Builder) Amount(key solana.PublicKey) uint64 { return b.tokens[b.account(key)].amount }

// Tx ends the transaction.
func (b *Builder) Tx() *swapcast.Transaction {
	if len(b.stack) != 0 {
		panic("an instruction is open")
	}
	b.tx.NumStatic = len(b.tx.Keys)
	for _, i := range b.order {
		a := b.tokens[i]
		row := swapcast.TokenBalance{
			Account: uint8(i), Decimals: a.mint.Decimals, Mint: a.mint.Key, Owner: a.owner, Program: a.mint.Program,
		}
		if !a.born {
			row.Amount = a.pre
			b.tx.PreTokens = append(b.tx.PreTokens, row)
		}
		if !a.closed {
			row.Amount = a.amount
			b.tx.PostTokens = append(b.tx.PostTokens, row)
		}
	}
	return &b.tx
}

// U64 is a number as the chain writes it.
func U64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// U128 is a number of 128 bits as the chain writes it.
func U128(low, high uint64) []byte { return append(U64(low), U64(high)...) }

// Hex is bytes written in hexadecimal.
func Hex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// Join puts byte strings together.
func Join(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
