package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"strconv"
	"testing"
	"time"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

func market(t testing.TB, o Options) *Market {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func next(t testing.TB, m *Market) *pb.SubscribeUpdate {
	t.Helper()
	u, err := m.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// digest is a hash of the first n updates as they stand on the wire.
func digest(t testing.TB, o Options, n int) string {
	t.Helper()
	m := market(t, o)
	h := sha256.New()
	for range n {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(next(t, m))
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

func TestSameSeedSameBytes(t *testing.T) {
	a, b := digest(t, Options{Seed: 7, Truth: true}, 1500), digest(t, Options{Seed: 7}, 1500)
	if a != b {
		t.Fatalf("two runs of one seed differ: %s, %s", a, b)
	}
	if c := digest(t, Options{Seed: 8}, 1500); c == a {
		t.Fatal("another seed gives the same bytes")
	}
}

// TestStartingAgain checks what two runs of one seed share that begin at
// different slots, as after a restart.
func TestStartingAgain(t *testing.T) {
	a, b := market(t, Options{Seed: 2, StartSlot: 400_000_000}), market(t, Options{Seed: 2, StartSlot: 400_100_000})
	seen := map[string]bool{}
	for range 1000 {
		if x := next(t, a).GetTransaction(); x != nil {
			seen[string(x.GetTransaction().GetSignature())] = true
		}
	}
	for range 1000 {
		if x := next(t, b).GetTransaction(); x != nil && seen[string(x.GetTransaction().GetSignature())] {
			t.Fatal("a signature of the first run comes again in the second")
		}
	}
	for i := range a.venues {
		if a.venues[i].base().id.key != b.venues[i].base().id.key {
			t.Fatalf("pool %d has another address", i)
		}
	}
	for i, w := range a.wallets {
		for j, mn := range a.mints {
			if a.token(w, mn).key != b.token(b.wallets[i], b.mints[j]).key {
				t.Fatalf("wallet %d has another account for %s", i, mn.symbol)
			}
		}
	}
}

// accountState is what a conservation check knows of an account.
type accountState struct {
	lamports uint64
	tokens   uint64
	mint     string
}

// ledger follows every account over the whole stream.
type ledger struct {
	t     *testing.T
	state map[string]accountState
	seen  map[string]bool // signatures
}

func (l *ledger) check(u *pb.SubscribeUpdateTransaction) {
	t, info := l.t, u.GetTransaction()
	meta, msg := info.GetMeta(), info.GetTransaction().GetMessage()
	sig := solana.SignatureFromBytes(info.GetSignature()).String()
	if l.seen[sig] {
		t.Fatalf("signature %s came twice", sig)
	}
	l.seen[sig] = true
	keys := append(append(append([][]byte(nil), msg.GetAccountKeys()...), meta.GetLoadedWritableAddresses()...), meta.GetLoadedReadonlyAddresses()...)
	n := len(keys)
	if n > 64 {
		t.Fatalf("%s: %d keys", sig, n)
	}
	if len(meta.GetPreBalances()) != n || len(meta.GetPostBalances()) != n {
		t.Fatalf("%s: %d keys, %d and %d balances", sig, n, len(meta.GetPreBalances()), len(meta.GetPostBalances()))
	}
	var before, after uint64
	for i, k := range keys {
		pre, post := meta.GetPreBalances()[i], meta.GetPostBalances()[i]
		before, after = before+pre, after+post
		s := l.state[string(k)]
		if _, known := l.state[string(k)]; known && s.lamports != pre {
			t.Fatalf("%s: account %d had %d lamports, now begins with %d", sig, i, s.lamports, pre)
		}
		s.lamports = post
		l.state[string(k)] = s
	}
	if before != after+meta.GetFee() {
		t.Fatalf("%s: lamports %d before, %d after, fee %d", sig, before, after, meta.GetFee())
	}
	if lookups := countLookups(msg); lookups != len(keys)-len(msg.GetAccountKeys()) {
		t.Fatalf("%s: %d looked-up indexes, %d loaded keys", sig, lookups, len(keys)-len(msg.GetAccountKeys()))
	}
	l.tokens(sig, keys, meta)
	l.limits(sig, msg, meta)
	l.indexes(sig, n, msg, meta)
}

// limits checks what the chain itself would refuse: more compute units than
// asked for, more bytes than a packet holds.
func (l *ledger) limits(sig string, msg *pb.Message, meta *pb.TransactionStatusMeta) {
	limit := uint64(200_000)
	size := 1 + 64*int(msg.GetHeader().GetNumRequiredSignatures()) + 1 + 3 + 1 + 32*len(msg.GetAccountKeys()) + 32 + 1
	for _, x := range msg.GetInstructions() {
		size += 1 + 1 + len(x.GetAccounts()) + 2 + len(x.GetData())
		if len(x.GetData()) == 5 && x.GetData()[0] == 2 && len(x.GetAccounts()) == 0 {
			limit = uint64(le.Uint32(x.GetData()[1:]))
		}
	}
	for _, x := range msg.GetAddressTableLookups() {
		size += 32 + 1 + len(x.GetWritableIndexes()) + 1 + len(x.GetReadonlyIndexes())
	}
	if size > 1232 {
		l.t.Fatalf("%s: %d bytes, a transaction has 1232 at most", sig, size)
	}
	if meta.GetErr() == nil && meta.GetComputeUnitsConsumed() > limit {
		l.t.Fatalf("%s: %d compute units of %d", sig, meta.GetComputeUnitsConsumed(), limit)
	}
	if msg.GetVersioned() == (len(msg.GetAddressTableLookups()) == 0) {
		l.t.Fatalf("%s: versioned %v with %d lookups", sig, msg.GetVersioned(), len(msg.GetAddressTableLookups()))
	}
}

func countLookups(msg *pb.Message) (n int) {
	for _, x := range msg.GetAddressTableLookups() {
		n += len(x.GetWritableIndexes()) + len(x.GetReadonlyIndexes())
	}
	return n
}

// tokens checks that each mint's tokens are conserved: only a launch makes new
// ones.
func (l *ledger) tokens(sig string, keys [][]byte, meta *pb.TransactionStatusMeta) {
	t := l.t
	sums := map[string]int64{}
	for _, b := range meta.GetPreTokenBalances() {
		v := amount(t, b)
		sums[b.GetMint()] -= int64(v)
		if s := l.state[string(keys[b.GetAccountIndex()])]; s.mint != "" && (s.tokens != v || s.mint != b.GetMint()) {
			t.Fatalf("%s: token account %d had %d, now begins with %d", sig, b.GetAccountIndex(), s.tokens, v)
		}
	}
	for _, b := range meta.GetPostTokenBalances() {
		v := amount(t, b)
		sums[b.GetMint()] += int64(v)
		k := string(keys[b.GetAccountIndex()])
		s := l.state[k]
		s.tokens, s.mint = v, b.GetMint()
		if b.GetMint() == tokenSpecs[tokSOL].address && s.lamports != v+rentToken {
			t.Fatalf("%s: wrapped SOL account %d holds %d tokens and %d lamports", sig, b.GetAccountIndex(), v, s.lamports)
		}
		l.state[k] = s
	}
	for mint, d := range sums {
		if d != 0 && mint != tokenSpecs[tokSOL].address && d != curveSupply {
			t.Fatalf("%s: %d units of %s appeared", sig, d, mint)
		}
	}
}

func amount(t *testing.T, b *pb.TokenBalance) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(b.GetUiTokenAmount().GetAmount(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	ui, err := strconv.ParseFloat(b.GetUiTokenAmount().GetUiAmountString(), 64)
	if err != nil || math.Abs(ui-b.GetUiTokenAmount().GetUiAmount()) > 1e-9*ui {
		t.Fatalf("amount %q of %v", b.GetUiTokenAmount().GetUiAmountString(), b.GetUiTokenAmount().GetUiAmount())
	}
	return v
}

func (l *ledger) indexes(sig string, n int, msg *pb.Message, meta *pb.TransactionStatusMeta) {
	t := l.t
	in := func(p uint32, acc []byte) {
		if int(p) >= n {
			t.Fatalf("%s: program %d of %d keys", sig, p, n)
		}
		for _, a := range acc {
			if int(a) >= n {
				t.Fatalf("%s: account %d of %d keys", sig, a, n)
			}
		}
	}
	for _, x := range msg.GetInstructions() {
		in(x.GetProgramIdIndex(), x.GetAccounts())
		if int(x.GetProgramIdIndex()) >= len(msg.GetAccountKeys()) {
			t.Fatalf("%s: an outer program is a looked-up key", sig)
		}
	}
	last := int64(-1)
	for _, g := range meta.GetInnerInstructions() {
		if int64(g.GetIndex()) <= last || int(g.GetIndex()) >= len(msg.GetInstructions()) {
			t.Fatalf("%s: inner group %d after %d", sig, g.GetIndex(), last)
		}
		last = int64(g.GetIndex())
		height := uint32(1)
		for _, x := range g.GetInstructions() {
			in(x.GetProgramIdIndex(), x.GetAccounts())
			if h := x.GetStackHeight(); h < 2 || h > height+1 {
				t.Fatalf("%s: stack height %d after %d", sig, h, height)
			}
			height = x.GetStackHeight()
		}
	}
}

func TestConservation(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 6000
	}
	m := market(t, Options{Seed: 3, TPS: 2000, Launches: 600})
	l := &ledger{t: t, state: map[string]accountState{}, seen: map[string]bool{}}
	failed, votes := 0, 0
	for range n {
		if x := next(t, m).GetTransaction(); x != nil {
			l.check(x)
			if x.GetTransaction().GetMeta().GetErr() != nil {
				failed++
			}
			if x.GetTransaction().GetIsVote() {
				votes++
			}
		}
	}
	if failed == 0 || votes == 0 {
		t.Fatalf("%d failed transactions, %d votes", failed, votes)
	}
}

func TestSlots(t *testing.T) {
	m := market(t, Options{Seed: 1, TPS: 50})
	var slot, parent, height, txs uint64
	hashes := map[uint64]string{}
	parents := map[uint64]uint64{}
	var last int64
	finalized, confirmed, skipped := uint64(0), uint64(0), 0
	for range 6000 {
		u := next(t, m)
		at := u.GetCreatedAt().AsTime().UnixNano()
		if at < last {
			t.Fatalf("time goes back by %v", time.Duration(last-at))
		}
		last = at
		switch {
		case u.GetSlot() != nil:
			s := u.GetSlot()
			switch s.GetStatus() {
			case pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED:
				if s.GetSlot() <= slot {
					t.Fatalf("slot %d after %d", s.GetSlot(), slot)
				}
				if slot != 0 {
					skipped += int(s.GetSlot() - slot - 1)
				}
				parent, slot, txs = slot, s.GetSlot(), 0
			case pb.SlotStatus_SLOT_CREATED_BANK, pb.SlotStatus_SLOT_PROCESSED:
				if parent != 0 && s.GetParent() != parent || s.GetSlot() != slot {
					t.Fatalf("%v: slot %d parent %d, want %d and %d", s.GetStatus(), s.GetSlot(), s.GetParent(), slot, parent)
				}
				parents[slot] = s.GetParent()
			case pb.SlotStatus_SLOT_CONFIRMED:
				if s.GetSlot() != parent || s.GetSlot() <= confirmed {
					t.Fatalf("slot %d confirmed while %d is made", s.GetSlot(), slot)
				}
				confirmed = s.GetSlot()
			case pb.SlotStatus_SLOT_FINALIZED:
				if s.GetParent() != parents[s.GetSlot()] || s.GetSlot() <= finalized || s.GetSlot() > confirmed {
					t.Fatalf("slot %d finalized with parent %d", s.GetSlot(), s.GetParent())
				}
				finalized = s.GetSlot()
			}
		case u.GetTransaction() != nil:
			x := u.GetTransaction()
			if x.GetSlot() != slot || x.GetTransaction().GetIndex() != txs {
				t.Fatalf("transaction %d of slot %d, want %d of %d", x.GetTransaction().GetIndex(), x.GetSlot(), txs, slot)
			}
			txs++
		case u.GetBlockMeta() != nil:
			b := u.GetBlockMeta()
			if b.GetExecutedTransactionCount() != txs || b.GetSlot() != slot {
				t.Fatalf("block of slot %d says %d transactions, had %d", b.GetSlot(), b.GetExecutedTransactionCount(), txs)
			}
			if h := b.GetBlockHeight().GetBlockHeight(); height != 0 && h != height+1 {
				t.Fatalf("height %d after %d", h, height)
			}
			height = b.GetBlockHeight().GetBlockHeight()
			if want := hashes[b.GetParentSlot()]; want != "" && want != b.GetParentBlockhash() {
				t.Fatalf("slot %d: parent hash %s, want %s", slot, b.GetParentBlockhash(), want)
			}
			hashes[slot] = b.GetBlockhash()
		}
	}
	if finalized == 0 || skipped == 0 {
		t.Fatalf("finalized up to %d, %d slots skipped", finalized, skipped)
	}
}

// TestPricesStayNearTheTrueMid runs a simulated while and looks at every pool.
func TestPricesStayNearTheTrueMid(t *testing.T) {
	m := market(t, Options{Seed: 11, TPS: 200})
	until := m.slotAt + int64(90*time.Second)
	for m.slotAt < until {
		next(t, m)
	}
	moved := 0.0
	for _, v := range m.venues {
		p := v.base()
		mid := m.rawPrice(p.a, p.b)
		edge := v.feeRate() + 0.006
		if d, ok := v.(*dlmm); ok {
			edge += d.step
		}
		off := math.Abs(math.Log(v.price() / mid))
		if off > edge {
			t.Errorf("%s %s/%s: price is %.3f%% off the true mid, fee %.3f%%", p.dex.name, p.a.symbol, p.b.symbol, off*100, v.feeRate()*100)
		}
	}
	for i := range m.mids {
		moved = max(moved, math.Abs(m.mids[i]/m.mid0[i]-1))
	}
	if moved < 1e-4 {
		t.Error("the true mids do not move")
	}
}

// TestFlowIsBalanced holds the public's trades of listed tokens against each
// other: were there more of one side, pools would stand at one edge of their fees
// and every measure of prices would see that instead of the prices.
func TestFlowIsBalanced(t *testing.T) {
	var bought, sold, off, samples float64
	listed := map[solana.PublicKey]bool{}
	m := market(t, Options{Seed: 12, TPS: 500, OnSwap: func(s *swapcast.Swap) {
		switch {
		case listed[s.MintOut] && !listed[s.MintIn]:
			bought++
		case listed[s.MintIn] && !listed[s.MintOut]:
			sold++
		}
	}})
	for _, mn := range m.mints[tokUSDT+1:] {
		listed[mn.key] = true
	}
	for until := m.slotAt + int64(2*time.Minute); m.slotAt < until; {
		if next(t, m).GetBlockMeta() == nil {
			continue
		}
		for _, v := range m.venues {
			if p := v.base(); listed[p.a.key] {
				off += math.Log(v.price() / m.rawPrice(p.a, p.b))
				samples++
			}
		}
	}
	if share := bought / (bought + sold); share < 0.48 || share > 0.52 {
		t.Errorf("%.0f bought and %.0f sold: %.1f%% bought", bought, sold, 100*share)
	}
	if mean := off / samples * 10_000; math.Abs(mean) > 3 {
		t.Errorf("pools stand %+.1f basis points off the true mid on the mean", mean)
	}
}

// TestVaultsHoldWhatTheCurveSays compares each pool's state with its vaults.
func TestVaultsHoldWhatTheCurveSays(t *testing.T) {
	m := market(t, Options{Seed: 5, TPS: 3000, Launches: 600})
	for range 12_000 {
		next(t, m)
	}
	for _, v := range m.venues {
		var x, y uint64
		exact := false
		switch v := v.(type) {
		case *raydiumV4:
			x, y, exact = v.x, v.y, true
		case *raydiumCPMM:
			x, y = v.x, v.y
		case *pumpSwap:
			x, y, exact = v.x, v.y, true
		case *raydiumCLMM:
			x, y = v.amountA(v.sqrt, v.limit), v.amountB(v.floor, v.sqrt)
		case *whirlpool:
			x, y = v.amountA(v.sqrt, v.limit), v.amountB(v.floor, v.sqrt)
		case *dammV2:
			x, y = v.amountA(v.sqrt, v.limit), v.amountB(v.floor, v.sqrt)
		case *dlmm:
			for _, b := range v.bins {
				x, y = x+b.x, y+b.y
			}
		}
		p := v.base()
		if p.vaultA.amount < x || p.vaultB.amount < y || exact && (p.vaultA.amount != x || p.vaultB.amount != y) {
			t.Errorf("%s %s/%s: vaults %d and %d, curve %d and %d", p.dex.name, p.a.symbol, p.b.symbol,
				p.vaultA.amount, p.vaultB.amount, x, y)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{TPS: -1}, {TPS: 60_000}, {Slot: time.Microsecond}, {Volatility: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestNextHonoursTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := market(t, Options{})
	cancel()
	if _, err := m.Next(ctx); err == nil {
		t.Fatal("no error")
	}
}

func BenchmarkNext(b *testing.B) {
	for _, tps := range []int{500, 20_000} {
		b.Run("tps="+strconv.Itoa(tps), func(b *testing.B) {
			m := market(b, Options{Seed: 1, TPS: tps})
			for range 2000 {
				next(b, m)
			}
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for b.Loop() {
				for next(b, m).GetTransaction() == nil {
					n++
				}
			}
			runtime.KeepAlive(n)
		})
	}
}
