package sim

import (
	"runtime"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
)

// goldenHash is the hash of the first updates of seed 1. When the market changes on
// purpose, the test prints the new one.
const goldenHash = "14ad4432eb64b118d038ed03"

func TestGolden(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("floating point differs between architectures; the hash is amd64's")
	}
	if got := digest(t, Options{Seed: 1}, 5000); got != goldenHash {
		t.Fatalf("the first 5,000 updates of seed 1 hash to %s, want %s", got, goldenHash)
	}
}

// TestLaunches follows tokens from their creation to PumpSwap.
func TestLaunches(t *testing.T) {
	m := market(t, Options{Seed: 4, TPS: 2000, Launches: 300, Truth: true})
	created := 0
	for len(m.grown) == 0 || created < 20 {
		if x := next(t, m).GetTransaction(); x != nil && creates(x) {
			created++
		}
		if m.txs > 400_000 {
			t.Fatalf("%d tokens created, %d migrated", created, len(m.grown))
		}
	}
	c := m.grown[0]
	if c.realToken != 0 || c.virtualToken != curveVirtualToken-curveRealToken || c.tokens.amount != 0 {
		t.Fatalf("a migrated curve still has %d tokens to sell, %d in all", c.realToken, c.tokens.amount)
	}
	// 30 SOL of virtual reserves make 793.1 million tokens cost 85 SOL, but for
	// the rounding of each trade.
	if c.realSOL < 85_005_000_000 || c.realSOL > 85_006_000_000 {
		t.Errorf("a complete curve holds %d lamports", c.realSOL)
	}
	if c.pool.vaultA.amount == 0 || c.pool.vaultB.amount == 0 {
		t.Error("the pool of a migrated token is empty")
	}
	for range 5000 {
		next(t, m)
	}
	traded := 0
	for i := range m.truth.Swaps {
		if m.truth.Swaps[i].Pool == c.pool.id.key {
			traded++
		}
	}
	if traded == 0 {
		t.Error("nobody trades the migrated token")
	}
	if len(m.curves) > maxCurves || len(m.grown) > maxGrown {
		t.Errorf("%d curves and %d migrated tokens are kept", len(m.curves), len(m.grown))
	}
}

func creates(x *pb.SubscribeUpdateTransaction) bool {
	for _, i := range x.GetTransaction().GetTransaction().GetMessage().GetInstructions() {
		if len(i.GetData()) > 8 && string(i.GetData()[:8]) == "\xd6\x90\x4c\xec\x5f\x8b\x31\xb4" {
			return true
		}
	}
	return false
}

// TestTruth checks that the three ways to the ground truth say the same.
func TestTruth(t *testing.T) {
	m := market(t, Options{Seed: 6, Truth: true})
	for range 3000 {
		next(t, m)
	}
	tr := m.Truth()
	if len(tr.Swaps) == 0 || len(tr.Balances) == 0 {
		t.Fatal("no ground truth")
	}
	seen := map[uint64]int{}
	for _, mid := range tr.Mids {
		if mid.USD <= 0 {
			t.Fatalf("slot %d: %s costs %v", mid.Slot, mid.Mint, mid.USD)
		}
		seen[mid.Slot]++
	}
	for slot, n := range seen {
		if n != len(tokenSpecs) {
			t.Errorf("slot %d has %d true prices", slot, n)
		}
	}
	last := tr.Mids[len(tr.Mids)-len(tokenSpecs):]
	for _, mid := range last {
		if usd, ok := m.Mid(mid.Mint); !ok || usd != mid.USD {
			t.Errorf("%s: Mid says %v, the record %v", mid.Mint, usd, mid.USD)
		}
	}
	if market(t, Options{}).Truth() != nil {
		t.Error("ground truth is kept unasked")
	}
	for i, tok := range Tokens() {
		if tok.Mint != m.mints[i].key || tok.Decimals != m.mints[i].decimals || tok.Symbol == "" || tok.Name == "" {
			t.Errorf("token %d: %+v", i, tok)
		}
	}
}
