package cache_test

import (
	"context"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/cache"
)

type portfolio struct {
	Owner string  `json:"owner"`
	Value float64 `json:"value"`
}

func loadPortfolio(context.Context) (portfolio, error) { return portfolio{"7xK", 12}, nil }

func BenchmarkHit(b *testing.B) {
	c, err := cache.New(cache.Options{L1TTL: 1 << 50, L2TTL: 1 << 50, Metrics: cache.NewMetrics(prometheus.NewRegistry())})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := cache.Get(ctx, c, "portfolio:7xK:value", loadPortfolio); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Func of a string", func(b *testing.B) {
		f := cache.Func(c, cache.Spec{Name: "portfolio:{0}:value", Tags: []string{"portfolio:{0}"}},
			func(ctx context.Context, _ string) (portfolio, error) { return loadPortfolio(ctx) })
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(ctx, "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Func of a wallet", func(b *testing.B) {
		f := cache.Func(c, cache.Spec{Name: "portfolio:{0}:pnl", Tags: []string{"portfolio:{0}"}},
			func(ctx context.Context, _ solana.PublicKey) (portfolio, error) { return loadPortfolio(ctx) })
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(ctx, solana.PublicKey{7}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
