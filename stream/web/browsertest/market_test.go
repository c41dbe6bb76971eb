package browsertest

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// coin is one token of the market below. The prices are starting points of a
// random walk and mean nothing.
type coin struct {
	symbol, name, mint string
	usd                float64
	decimals           uint8
	liquidity          float64
	restless           float64 // standard deviation of one step
}

func coins() []coin {
	return []coin{
		{"SOL", "Wrapped SOL", swapcast.NativeMintAddress, 147.2, 9, 81_234_567, 0.0006},
		{"USDC", "USD Coin", swapcast.USDCAddress, 1, 6, 64_200_000, 0.00002},
		{"USDT", "USDT", swapcast.USDTAddress, 0.9998, 6, 22_900_000, 0.00003},
		{"JUP", "Jupiter", "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", 0.4123, 6, 9_310_000, 0.0011},
		{"JTO", "Jito", "jtojtomepa8beP8AuQc6eXt5FriJwfFMwQx2v2f9mCL", 1.873, 9, 5_900_000, 0.0012},
		{"BONK", "Bonk", "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", 0.00001312, 5, 7_420_000, 0.0016},
		{"WIF", "dogwifhat", "EKpQGSJtjMFqKZ9KQanSqYXRcF8fBopzLHYxdM65zcjm", 0.5512, 6, 6_130_000, 0.0018},
		{"PYTH", "Pyth Network", "HZ1JovNiVvGrGNiiYvEozEVgZ58xaU3RKwX8eACQBCt3", 0.1284, 6, 3_310_000, 0.0012},
		{"RAY", "Raydium", "4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R", 2.214, 6, 8_810_000, 0.0013},
		{"ORCA", "Orca", "orcaEKTdK7LKz57vaAYr9QeNsVEPfiu6QeMU1kektZE", 1.934, 6, 2_120_000, 0.0012},
		{"mSOL", "Marinade staked SOL", "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So", 195.6, 9, 12_480_000, 0.0005},
		{"JitoSOL", "Jito Staked SOL", "J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn", 181.3, 9, 19_020_000, 0.0005},
		{"POPCAT", "Popcat", "7GCihgDB8fe6KNjn2MYtkzZcRjQy3t9GHdC8uHYmW2hr", 0.1927, 9, 2_850_000, 0.0021},
		{"MEW", "cat in a dogs world", "MEW1gQWJ3nEXg2qgERiKu7FAFj79PHvQVREQUzScPP5", 0.001873, 5, 1_930_000, 0.0021},
		{"PENGU", "Pudgy Penguins", "2zMMhcVQEXDtdE6vsFS7S7D5oUodfJHE8vd1gnBouauv", 0.01241, 6, 3_720_000, 0.0019},
		{"SAMO", "Samoyed Coin", "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU", 0.0000000412, 9, 310_000, 0.0024},
	}
}

// market walks at random, publishes where it goes, and answers the HTTP API's
// questions about it. It stands in for the parser and the market package, which
// this package does not test.
type market struct {
	publishing sync.Mutex // held while the server is published to

	// Static.
	publish publisher
	mints   map[string]solana.PublicKey // by symbol

	// Guarded by mu.
	mu     sync.Mutex
	rng    *rand.Rand
	slot   uint64
	coins  []coin
	prices map[solana.PublicKey]swapcast.Price
	trades map[solana.PublicKey][]swapcast.Trade // newest first
	unborn solana.PublicKey                      // has not traded yet, as far as the API knows
	launches
}

type publisher interface {
	PublishPrice(p *swapcast.Price)
	PublishTrade(t *swapcast.Trade)
	PublishCandles(mint solana.PublicKey)
}

func newMarket(t *testing.T, p publisher) *market {
	t.Helper()
	m := &market{
		publish: p,
		mints:   map[string]solana.PublicKey{},
		rng:     rand.New(rand.NewPCG(7, 9)),
		slot:    371_234_567,
		coins:   coins(),
		prices:  map[solana.PublicKey]swapcast.Price{},
		trades:  map[solana.PublicKey][]swapcast.Trade{},
	}
	for _, c := range m.coins {
		mint, err := swapcast.ParseKey(c.mint)
		if err != nil {
			t.Fatalf("%s: %v", c.symbol, err)
		}
		m.mints[c.symbol] = mint
	}
	// A past of some minutes, which the page fetches.
	now := time.Now()
	for at := now.Add(-4 * time.Minute); at.Before(now); at = at.Add(130 * time.Millisecond) {
		for i := range m.coins {
			if m.rng.IntN(4) == 0 {
				m.step(i, at)
			}
		}
	}
	return m
}

// run keeps the market moving until ctx ends. The tokens named quiet are left
// to the test.
func (m *market) run(ctx context.Context, quiet ...string) {
	ticker := time.NewTicker(25 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.mu.Lock()
			m.slot++
			m.mu.Unlock()
			for range 3 {
				m.mu.Lock()
				i := m.rng.IntN(len(m.coins))
				m.mu.Unlock()
				if !contains(quiet, m.coins[i].symbol) {
					m.trade(i, now)
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, each := range list {
		if each == s {
			return true
		}
	}
	return false
}

// trade steps a token on and publishes it. The server is published to by one
// goroutine at a time: by the market's own, or by a test that sets a price.
func (m *market) trade(i int, now time.Time) {
	m.publishing.Lock()
	defer m.publishing.Unlock()
	price, trade := m.step(i, now)
	m.publish.PublishPrice(&price)
	m.publish.PublishTrade(&trade)
	m.publish.PublishCandles(trade.Mint)
}

// set moves a token to a price, as a test wants it.
func (m *market) set(symbol string, usd float64) {
	m.mu.Lock()
	for i := range m.coins {
		if m.coins[i].symbol == symbol {
			m.coins[i].usd, m.coins[i].restless = usd, 0
			m.mu.Unlock()
			m.trade(i, time.Now())
			return
		}
	}
	m.mu.Unlock()
}

// hide makes the API know nothing of a token; "" ends it.
func (m *market) hide(symbol string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unborn = m.mints[symbol]
}

// step makes one trade of a token and keeps what it leaves behind.
func (m *market) step(i int, at time.Time) (swapcast.Price, swapcast.Trade) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.coins[i]
	move := m.rng.NormFloat64() * c.restless
	c.usd *= math.Exp(move)
	dollars := math.Exp(m.rng.NormFloat64()*1.3 + 5.2)
	side := swapcast.Buy
	if move < 0 {
		side = swapcast.Sell
	}
	dexes := []string{"raydium-clmm", "orca-whirlpool", "meteora-dlmm", "raydium-v4", "pumpswap"}
	dex := dexes[m.rng.IntN(len(dexes))]
	mint := m.mints[c.symbol]
	pool, signature := m.key(), m.signature()
	price := swapcast.Price{
		Mint: mint, USD: c.usd, Known: true, SOL: c.usd / m.coins[0].usd, SOLKnown: true,
		Confidence: 0.9 + 0.09*m.rng.Float64(), LiquidityUSD: c.liquidity, DEX: dex, Pool: pool,
		Slot: m.slot, Signature: signature, BlockTime: at.Unix(), ReceivedAt: at.UnixNano(),
	}
	trade := swapcast.Trade{
		Mint: mint, Side: side, Amount: uint64(dollars / c.usd * math.Pow10(int(c.decimals))), Decimals: c.decimals,
		USD: c.usd, AmountUSD: dollars, Known: true, Trader: m.key(), DEX: dex, Pool: pool,
		Slot: m.slot, Signature: signature, BlockTime: at.Unix(), ReceivedAt: at.UnixNano(),
	}
	m.prices[mint] = price
	m.trades[mint] = append([]swapcast.Trade{trade}, m.trades[mint]...)
	if len(m.trades[mint]) > 500 {
		m.trades[mint] = m.trades[mint][:500]
	}
	return price, trade
}

func (m *market) key() (k solana.PublicKey) {
	for i := range k {
		k[i] = byte(m.rng.UintN(256))
	}
	return k
}

func (m *market) signature() (s solana.Signature) {
	for i := range s {
		s[i] = byte(m.rng.UintN(256))
	}
	return s
}

// Price answers the API.
func (m *market) Price(mint solana.PublicKey) (swapcast.Price, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.prices[mint]
	return p, ok && mint != m.unborn
}

// Top answers the API: the list above is in order of fame, not of liquidity.
func (m *market) Top(limit int) []swapcast.Price {
	m.mu.Lock()
	defer m.mu.Unlock()
	var top []swapcast.Price
	for _, c := range m.coins {
		if p, ok := m.prices[m.mints[c.symbol]]; ok && p.Mint != m.unborn && len(top) < limit {
			top = append(top, p)
		}
	}
	return top
}

// Trades answers the API.
func (m *market) Trades(mint solana.PublicKey, limit int) []swapcast.Trade {
	m.mu.Lock()
	defer m.mu.Unlock()
	trades := m.trades[mint]
	if mint == m.unborn {
		trades = nil
	}
	return append([]swapcast.Trade(nil), trades[:min(limit, len(trades))]...)
}

// Token answers the API.
func (m *market) Token(mint solana.PublicKey) (swapcast.Token, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.coins {
		if m.mints[c.symbol] == mint && mint != m.unborn {
			return swapcast.Token{Mint: mint, Symbol: c.symbol, Name: c.name, Decimals: c.decimals, Known: true}, true
		}
	}
	token, ok := m.names[mint]
	return token, ok
}

// Candles answers the API, from the trades that are kept. Without holes, as the
// API promises.
func (m *market) Candles(mint solana.PublicKey, interval swapcast.Interval, limit int) []swapcast.Candle {
	trades := m.Trades(mint, math.MaxInt)
	length := interval.Seconds()
	var candles []swapcast.Candle
	for i := len(trades) - 1; i >= 0; i-- {
		t := &trades[i]
		start := t.BlockTime - t.BlockTime%length
		for n := len(candles); n > 0 && candles[n-1].Start+length < start; n = len(candles) {
			c := candles[n-1].Close
			candles = append(candles, swapcast.Candle{Mint: mint, Interval: interval, Start: candles[n-1].Start + length, Open: c, High: c, Low: c, Close: c, Final: true})
		}
		if n := len(candles); n == 0 || candles[n-1].Start < start {
			candles = append(candles, swapcast.Candle{Mint: mint, Interval: interval, Start: start, Open: t.USD, High: t.USD, Low: t.USD})
		}
		c := &candles[len(candles)-1]
		c.High, c.Low, c.Close = max(c.High, t.USD), min(c.Low, t.USD), t.USD
		c.VolumeUSD += t.AmountUSD
		c.Trades++
	}
	now := time.Now().Unix()
	for i := range candles {
		candles[i].Final = candles[i].Start+length <= now
	}
	return candles[max(0, len(candles)-limit):]
}

// Candle answers the WebSocket server.
func (m *market) Candle(mint solana.PublicKey, interval swapcast.Interval) (swapcast.Candle, bool) {
	candles := m.Candles(mint, interval, 1)
	if len(candles) == 0 {
		return swapcast.Candle{}, false
	}
	return candles[0], true
}

// Day answers the API: a day whose figures the page's tests know.
func (m *market) Day(mint solana.PublicKey) (api.Day, bool) {
	_, ok := m.Price(mint)
	return api.Day{VolumeUSD: 1_234_567, ChangePct: -3.25, Since: time.Now().Add(-24 * time.Hour).Unix()}, ok
}
