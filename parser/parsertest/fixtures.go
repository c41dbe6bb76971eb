package parsertest

import (
	"fmt"
	"math"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Kind is what a fixture shows.
type Kind string

// The four that every DEX must have.
const (
	Buy       Kind = "buy"       // the trader gives the quote
	Sell      Kind = "sell"      // the trader gives the asset
	Routed    Kind = "routed"    // by a router, two levels down, through its own accounts
	Malformed Kind = "malformed" // the instruction's data is cut off
)

// Kinds lists the four.
func Kinds() []Kind { return []Kind{Buy, Sell, Routed, Malformed} }

// Fixture is one transaction that we made ourselves.
type Fixture struct {
	DEX  string
	Kind Kind
	Tx   *swapcast.Transaction
}

// Name is the fixture's file name, without its extension.
func (f Fixture) Name() string { return f.DEX + "_" + string(f.Kind) }

// scene is what a swap instruction is built from: a pool of an asset and a
// quote, a trader, and which of the two the trader gives.
type scene struct {
	b              *Builder
	buy            bool
	asset, quote   Mint
	pool, auth     solana.PublicKey
	vaultA, vaultQ solana.PublicKey // of the asset, of the quote
	user           solana.PublicKey // who signs for the paying account
	userA, userQ   solana.PublicKey
	in, out        uint64
	cut            bool // cut the instruction's data off
}

// from, to and so on name the scene's accounts by direction.
func (s *scene) userIn() solana.PublicKey {
	if s.buy {
		return s.userQ
	}
	return s.userA
}

func (s *scene) userOut() solana.PublicKey {
	if s.buy {
		return s.userA
	}
	return s.userQ
}

func (s *scene) vaultIn() solana.PublicKey {
	if s.buy {
		return s.vaultQ
	}
	return s.vaultA
}

func (s *scene) vaultOut() solana.PublicKey {
	if s.buy {
		return s.vaultA
	}
	return s.vaultQ
}

func (s *scene) mintIn() Mint {
	if s.buy {
		return s.quote
	}
	return s.asset
}

func (s *scene) mintOut() Mint {
	if s.buy {
		return s.asset
	}
	return s.quote
}

// data returns an instruction's data, cut off where the scene says so.
func (s *scene) data(parts ...[]byte) []byte {
	d := Join(parts...)
	if s.cut {
		return d[:len(d)-9]
	}
	return d
}

// begin opens the swap instruction with its accounts, of which those that no
// reader looks at are made up.
func (s *scene) begin(program string, data []byte, size int, at map[int]solana.PublicKey) {
	keys := make([]solana.PublicKey, size)
	for i := range keys {
		if k, ok := at[i]; ok {
			keys[i] = k
		} else {
			keys[i] = Key(fmt.Sprintf("%s account %d", program, i))
		}
	}
	s.b.Begin(solana.MustPublicKeyFromBase58(program), data, keys...)
}

// swapTransfers moves both sides.
func (s *scene) swapTransfers() {
	s.b.Transfer(s.userIn(), s.vaultIn(), s.user, s.in)
	s.b.Transfer(s.vaultOut(), s.userOut(), s.auth, s.out)
}

// router is a program that is no DEX.
func router() solana.PublicKey { return Key("a router") }

// Fixtures returns every DEX's four.
func Fixtures() []Fixture {
	var out []Fixture
	for _, m := range makers() {
		for _, k := range Kinds() {
			out = append(out, Fixture{DEX: m.dex, Kind: k, Tx: m.make(k)})
		}
	}
	return out
}

// maker builds one DEX's swap instruction in a scene.
type maker struct {
	dex  string
	swap func(s *scene)
	// quote is the quote of its pools, wrapped SOL unless set.
	quote Mint
}

func (m maker) make(k Kind) *swapcast.Transaction {
	name := m.dex + " " + string(k)
	user := Key("the trader")
	b := NewBuilder(name, user)
	quote := m.quote
	if quote.Key.IsZero() {
		quote = WrappedSOL()
	}
	s := &scene{
		b: b, buy: k != Sell, asset: Token("the asset", 6), quote: quote,
		pool: Key(m.dex + " pool"), auth: Key(m.dex + " authority"), user: user,
		in: 1_000_000_000, out: 24_630_541_871, cut: k == Malformed,
	}
	if !s.buy {
		s.in, s.out = 25_000_000_000, 960_975_609
	}
	s.vaultA = b.Account(m.dex+" vault asset", s.auth, s.asset, 1_000_000_000_000)
	s.vaultQ = b.Account(m.dex+" vault quote", s.auth, s.quote, 40_000_000_000)
	ownA := b.Account("trader asset", user, s.asset, 30_000_000_000)
	ownQ := b.Account("trader quote", user, s.quote, 5_000_000_000)
	if k != Routed {
		s.userA, s.userQ = ownA, ownQ
		m.swap(s)
		return b.Tx()
	}
	// The router takes the quote into an account of its own, swaps from there
	// and hands the asset on: the trader is who paid the router.
	s.user = Key("the router's authority")
	s.userA = b.Account("router asset", s.user, s.asset, 0)
	s.userQ = b.Account("router quote", s.user, s.quote, 0)
	b.Begin(router(), Hex("c1209b3341d69c81"), user)
	b.Transfer(ownQ, s.userQ, user, s.in*11/10)
	m.swap(s)
	b.Transfer(s.userA, ownA, s.user, b.Amount(s.userA))
	b.Transfer(s.userQ, ownQ, s.user, b.Amount(s.userQ))
	b.End()
	return b.Tx()
}

// sqrtPrice is the 64.64 root of a price, as concentrated pools state it.
func sqrtPrice(price float64) []byte {
	root := math.Sqrt(price)
	whole := math.Floor(root)
	return U128(uint64((root-whole)*(1<<63))<<1, uint64(whole))
}
