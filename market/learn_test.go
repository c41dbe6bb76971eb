package market_test

import (
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/market"
)

// What is learned adds to the list, replaces none of it, and goes with the mint.
func TestLearn(t *testing.T) {
	m := market.New(market.Options{})
	m.Learn(swapcast.Token{Mint: swapcast.NativeMint(), Symbol: "FAKE", Decimals: 9, Known: true, Supply: 5, SupplyKnown: true})
	got, ok := m.Token(swapcast.NativeMint())
	if !ok || got.Symbol != "SOL" || !got.SupplyKnown || got.Supply != 5 {
		t.Errorf("%+v", got)
	}
	stranger := solana.PublicKey{1, 2, 3}
	m.Learn(swapcast.Token{Mint: stranger, Symbol: "X", Supply: 1, SupplyKnown: true})
	if got, ok := m.Token(stranger); ok {
		t.Errorf("a mint that is not followed is remembered: %+v", got)
	}
}
