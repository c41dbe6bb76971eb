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
// must be those of the vaults.
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
		Source: "replay:" + path + "?speed=0", Listen: address,
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

// comparePrices sets the prices that the client got beside what the vaults of
// the mints' last swaps in constant-product pools say: there the ratio of the
// vaults is the price.
func comparePrices(t *testing.T, swaps []swapcast.Swap, seen *reader) {
	t.Helper()
	sol := seen.price(swapcast.NativeMint())
	if sol == nil || sol.Price == nil {
		t.Fatal("no price of SOL")
	}
	if sol.Feed != "replay" {
		t.Errorf("SOL's price says feed %q: the endpoint plays a recording, and its header says so", sol.Feed)
	}
	solVault, swap := lastRatio(swaps, swapcast.NativeMint(), swapcast.USDC())
	t.Logf("SOL       price %.4f USD; vault ratio of its last constant-product swap against USDC (%s) %.4f", *sol.Price, swap, solVault)
	if off := math.Abs(*sol.Price/solVault - 1); off > 0.01 {
		t.Errorf("SOL's price is %.2f%% off the vaults", 100*off)
	}
	shown := 0
	for _, mint := range mintsOf(swaps) {
		key := solana.MustPublicKeyFromBase58(mint)
		ratio, swap := lastRatio(swaps, key, swapcast.NativeMint())
		price := seen.price(key)
		if ratio == 0 || price == nil || price.Price == nil || onlyPool(swaps, key) == "" {
			continue
		}
		vault := ratio * *sol.Price
		t.Logf("%s price %.6g USD; vault ratio of its last swap (%s) x SOL's price %.6g", mint, *price.Price, swap, vault)
		if off := math.Abs(*price.Price/vault - 1); off > 0.01 {
			t.Errorf("%s: price is %.2f%% off its only pool's vaults", mint, 100*off)
		}
		shown++
	}
	if shown < 3 {
		t.Errorf("only %d tokens could be compared", shown)
	}
}

// lastRatio is whole quote for one whole base by the vaults of base's last swap
// in a constant-product pool against quote; 0 where there was none.
func lastRatio(swaps []swapcast.Swap, base, quote solana.PublicKey) (ratio float64, where string) {
	for i := range slices.Backward(swaps) {
		s := &swaps[i]
		if !s.ReservesKnown || !slices.Contains([]string{"raydium-v4", "raydium-cpmm", "pumpswap"}, s.DEX) {
			continue
		}
		in, out := float64(s.ReserveIn)/math.Pow10(int(s.DecimalsIn)), float64(s.ReserveOut)/math.Pow10(int(s.DecimalsOut))
		switch {
		case s.MintIn == base && s.MintOut == quote:
			return out / in, fmt.Sprintf("%s %s", s.DEX, s.Signature.String()[:8])
		case s.MintOut == base && s.MintIn == quote:
			return in / out, fmt.Sprintf("%s %s", s.DEX, s.Signature.String()[:8])
		}
	}
	return 0, ""
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
