package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/stream/client"
)

const blockFile = "blocks/slot_361774429.getBlock.base64.json"

// TestBlockFromFileToSocket plays a whole mainnet block with `swapcast geyser`,
// follows it with `swapcast serve --source grpc://` and reads it with a
// WebSocket client: the same swaps must be there at every stage, and the prices
// must be those that the pools state, or their vaults.
func TestBlockFromFileToSocket(t *testing.T) {
	path := corpusFile(t, blockFile)
	swaps := parseFile(t, path)
	want := countByDEX(swaps)
	mints := mintsOf(swaps)

	// The block is over in a blink: the client has to be there first. Until it
	// is, the endpoint's port takes connections and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := silent.Addr().String()
	s := serveForTest(t, "--source", "grpc://"+address)
	seen := newReader(t, s, mints)
	silent.Close()
	geyserCommand := &geyserCmd{
		Source: "replay:" + path + "?speed=0", Listen: []string{address},
		StoredSlots: 3000, StoredMB: 256, QueueSize: 65536, PingInterval: 10 * time.Second, Compression: "none", MaxRequestKB: 4096,
	}
	runForTest(t, func(ctx context.Context) error { return geyserCommand.Run(ctx, testEnviron(t)) })

	deadline := time.Now().Add(60 * time.Second)
	for seen.trades() < len(swaps) && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	metrics := scrapeSwaps(t, s)
	socket := seen.countByDEX()
	t.Logf("%-16s %8s %8s %8s", "DEX", "file", "parser", "socket")
	for _, dex := range slices.Sorted(maps.Keys(metrics)) {
		t.Logf("%-16s %8d %8d %8d", dex, want[dex], metrics[dex], socket[dex])
		if want[dex] != metrics[dex] || want[dex] != socket[dex] {
			t.Errorf("%s: %d swaps in the file, %d out of gRPC and parser, %d at the WebSocket client", dex, want[dex], metrics[dex], socket[dex])
		}
	}
	if len(swaps) < 100 {
		t.Errorf("only %d swaps in the block", len(swaps))
	}
	comparePrices(t, swaps, seen)
}

// parseFile parses a file without any server in between.
func parseFile(t *testing.T, path string) []swapcast.Swap {
	t.Helper()
	file, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder, p := geyser.NewDecoder(), parser.New()
	var (
		tx     swapcast.Transaction
		result parser.Result
		swaps  []swapcast.Swap
	)
	for {
		update, err := file.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return swaps
		}
		if err != nil {
			t.Fatal(err)
		}
		if update.GetTransaction() == nil {
			continue
		}
		if err := decoder.Transaction(update.GetTransaction(), &tx); err != nil {
			t.Fatal(err)
		}
		p.Parse(&tx, &result)
		swaps = append(swaps, result.Swaps...)
	}
}

func countByDEX(swaps []swapcast.Swap) map[string]int {
	counts := map[string]int{}
	for i := range swaps {
		counts[swaps[i].DEX]++
	}
	return counts
}

func mintsOf(swaps []swapcast.Swap) []string {
	set := map[string]struct{}{}
	for i := range swaps {
		set[swaps[i].MintIn.String()] = struct{}{}
		set[swaps[i].MintOut.String()] = struct{}{}
	}
	return slices.Sorted(maps.Keys(set))
}

// reader is a WebSocket client that keeps the trades and the newest prices.
type reader struct {
	mu     sync.Mutex
	dexes  map[string]string // "signature/index" -> DEX
	prices map[string]*client.Price
	gaps   int
}

func newReader(t *testing.T, s *server, mints []string) *reader {
	t.Helper()
	r := &reader{dexes: map[string]string{}, prices: map[string]*client.Price{}}
	c, err := client.Dial(t.Context(), "ws://"+s.public.Addr().String()+"/ws", client.Options{OnEvent: r.take})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	for _, channel := range []string{client.ChannelTrades, client.ChannelPrices} {
		if err := c.Subscribe(t.Context(), channel, mints...); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *reader) take(e client.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := e.(type) {
	case *client.Trade:
		r.dexes[e.Signature+"/"+strconv.Itoa(e.Index)] = e.Source
	case *client.Price:
		r.prices[e.AssetID] = e
	case *client.Gap:
		r.gaps++
	}
}

func (r *reader) trades() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.dexes)
}

func (r *reader) countByDEX() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	counts := map[string]int{}
	for _, dex := range r.dexes {
		counts[dex]++
	}
	return counts
}

func (r *reader) price(mint solana.PublicKey) *client.Price {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prices[mint.String()]
}

// scrapeSwaps reads swapcast_swaps_total from the admin listener.
func scrapeSwaps(t *testing.T, s *server) map[string]int {
	t.Helper()
	response, err := http.Get("http://" + s.admin.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^swapcast_swaps_total\{dex="([^"]+)"\} (\d+)$`).FindAllStringSubmatch(string(body), -1) {
		counts[m[1]], _ = strconv.Atoi(m[2])
	}
	return counts
}

// Tolerances of comparePrices.
const (
	// samePrice: a token with one pool has that pool's price in SOL, and nothing
	// but the rounding of floats lies between.
	samePrice = 1e-9
	// solMoves: a token's dollars are of the moment of its last trade, and SOL
	// goes on trading while the block lasts.
	solMoves = 0.002
	// solPools: SOL's price is the centre of pools; one of 0.25% fee may stand
	// that far from those of 0.04% before anybody earns by trading it back.
	solPools = 0.0029
	// inVaults: what balances say that no parser made up. Vaults hold untaken
	// fees beside reserves, 1.6% more of one side in this block's worst pool.
	inVaults = 0.02
)

// comparePrices sets the prices that the client got beside what the mints' last
// swaps in constant-product pools say: the pool's own spot where the transaction
// states it, which is exact, else the ratio of the vaults.
func comparePrices(t *testing.T, swaps []swapcast.Swap, seen *reader) {
	t.Helper()
	sol := seen.price(swapcast.NativeMint())
	if sol == nil || sol.Price == nil {
		t.Fatal("no price of SOL")
	}
	if sol.BlockTime != 1755872986 {
		t.Errorf("SOL's price says block time %d, the block's is 1755872986", sol.BlockTime)
	}
	if sol.Feed != "replay" {
		t.Errorf("SOL's price says feed %q: the endpoint plays a recording, and its header says so", sol.Feed)
	}
	last := lastPrice(swaps, swapcast.NativeMint(), swapcast.USDC())
	t.Logf("SOL       price %.4f USD; its last constant-product swap against USDC says %s", *sol.Price, last)
	if off := math.Abs(*sol.Price/last.price - 1); off > solPools {
		t.Errorf("SOL's price is %.2f%% off that pool", 100*off)
	}
	shown, stated := 0, 0
	for _, mint := range mintsOf(swaps) {
		key := solana.MustPublicKeyFromBase58(mint)
		last := lastPrice(swaps, key, swapcast.NativeMint())
		got := seen.price(key)
		if last.price == 0 || got == nil || got.Price == nil || got.PriceSOL == nil || onlyPool(swaps, key) == "" {
			continue
		}
		t.Logf("%s price %.6g SOL, %.6g USD; its last swap says %s", mint, *got.PriceSOL, *got.Price, last)
		if off := math.Abs(*got.PriceSOL/last.price - 1); off > samePrice {
			t.Errorf("%s: price is %.4f%% off its only pool's", mint, 100*off)
		}
		if off := math.Abs(last.vaults/last.price - 1); off > inVaults {
			t.Errorf("%s: the vaults are %.2f%% off the price that the pool states", mint, 100*off)
		}
		if off := math.Abs(*got.Price/(*got.PriceSOL**sol.Price) - 1); off > solMoves {
			t.Errorf("%s: dollars are %.2f%% off SOL's price", mint, 100*off)
		}
		shown++
		if last.stated {
			stated++
		}
	}
	if shown < 3 || stated < 3 {
		t.Errorf("only %d tokens could be compared, %d with a stated price", shown, stated)
	}
}

// poolPrice is what a swap says of its pool: whole quote for one whole base.
type poolPrice struct {
	price, vaults float64 // price is the spot where stated, else that of the vaults; 0: no swap
	stated        bool
	where         string
}

// String shows both figures.
func (p poolPrice) String() string {
	if !p.stated {
		return fmt.Sprintf("%.6g by its vaults (%s)", p.vaults, p.where)
	}
	return fmt.Sprintf("%.6g by its own spot, %.6g by its vaults, %+.3f%% (%s)", p.price, p.vaults, 100*(p.vaults/p.price-1), p.where)
}

// lastPrice is the price of base's last swap in a constant-product pool against
// quote.
func lastPrice(swaps []swapcast.Swap, base, quote solana.PublicKey) poolPrice {
	for i := range slices.Backward(swaps) {
		s := &swaps[i]
		if !s.ReservesKnown || !slices.Contains([]string{"raydium-v4", "raydium-cpmm", "pumpswap"}, s.DEX) {
			continue
		}
		sold := s.MintIn == base && s.MintOut == quote
		if !sold && (s.MintOut != base || s.MintIn != quote) {
			continue
		}
		p := poolPrice{stated: s.SpotKnown, where: s.DEX + " " + s.Signature.String()[:8]}
		// Raw out for raw in, then whole, then the right way round.
		scale := math.Pow10(int(s.DecimalsIn) - int(s.DecimalsOut))
		p.vaults = float64(s.ReserveOut) / float64(s.ReserveIn) * scale
		p.price = p.vaults
		if p.stated {
			p.price = s.Spot * scale
		}
		if !sold {
			p.price, p.vaults = 1/p.price, 1/p.vaults
		}
		return p
	}
	return poolPrice{}
}

// onlyPool is the pool of a mint that traded in one pool alone.
func onlyPool(swaps []swapcast.Swap, mint solana.PublicKey) string {
	pools := map[string]struct{}{}
	for i := range swaps {
		if swaps[i].MintIn == mint || swaps[i].MintOut == mint {
			pools[swaps[i].Pool.String()] = struct{}{}
		}
	}
	if len(pools) != 1 {
		return ""
	}
	return strings.Join(slices.Collect(maps.Keys(pools)), "")
}
