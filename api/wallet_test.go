package api_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/api"
)

// fakeWallets knows two wallets: one of which everything is known, and any other
// that has just begun to be followed. It has no room for fullOwner.
type fakeWallets struct{}

var (
	knownOwner = key(70)
	fullOwner  = key(71)
)

func head(owner solana.PublicKey) (api.WalletHead, error) {
	if owner == fullOwner {
		return api.WalletHead{}, api.ErrTooManyWallets
	}
	h := api.WalletHead{Wallet: owner.String(), Commitment: "processed", Complete: owner == knownOwner, Slot: 9, TS: 1, Feed: swapcast.FeedSimulated}
	if !h.Complete {
		h.Reason = api.ReasonNoRPC
	}
	return h, nil
}

func (fakeWallets) Balances(_ context.Context, owner solana.PublicKey) (api.WalletBalances, error) {
	h, err := head(owner)
	a := api.WalletBalances{WalletHead: h, Balances: []api.WalletBalance{}}
	if h.Complete {
		slot, signature := uint64(8), solana.Signature{1}.String()
		a.SnapshotSlot = &slot
		a.Balances = append(
			a.Balances,
			api.WalletBalance{AssetID: key(3).String(), Amount: "18446744073709551615", Decimals: 6, Slot: 9, Signature: &signature},
			api.WalletBalance{AssetID: swapcast.NativeMintAddress, Symbol: "SOL", Native: true, Amount: "5", Decimals: 9, Slot: 8},
		)
	}
	return a, err
}

func (fakeWallets) Portfolio(_ context.Context, owner solana.PublicKey) (api.Portfolio, error) {
	h, err := head(owner)
	a := api.Portfolio{WalletHead: h, Assets: []api.PortfolioAsset{}}
	if h.Complete {
		v := 0.5
		a.ValueUSD, a.ValueSOL, a.Unpriced = &v, &v, 1
		a.Assets = append(
			a.Assets,
			api.PortfolioAsset{AssetID: swapcast.NativeMintAddress, Symbol: "SOL", Native: true, Amount: "5", Decimals: 9, Price: &v, Confidence: &v, ValueUSD: &v, ValueSOL: &v, Share: &v},
			api.PortfolioAsset{AssetID: key(3).String(), Amount: "7", Decimals: 6},
		)
	}
	return a, err
}

func (fakeWallets) PnL(_ context.Context, owner solana.PublicKey) (api.PnL, error) {
	h, err := head(owner)
	zero := api.Gain{Realized: "0", Cost: "0"}
	a := api.PnL{
		WalletHead: h, FIFO: api.Gains{USD: zero, SOL: zero}, Average: api.Gains{USD: zero, SOL: zero},
		Fees: api.Sum{Amount: "0", USD: "0", SOL: "0"}, History: api.History{State: api.HistoryNone}, Assets: []api.PnLAsset{},
	}
	if h.Complete {
		worth, slot, at := "-0.5", uint64(3), int64(1_764_000_000)
		one := api.Gain{Realized: "-12.000001", Unrealized: &worth, Cost: "1", Worth: &worth, Held: "5", Unknown: "0", Blind: "0"}
		both := api.Gains{USD: one, SOL: one}
		sum := api.Sum{Amount: "5", USD: "1.5", SOL: "0.01", UnknownUSD: "1", UnknownSOL: "2"}
		a.History = api.History{State: api.HistoryComplete, Transactions: 4, OldestSlot: &slot, OldestBlockTime: &at, Missing: 1}
		a.Assets = append(a.Assets, api.PnLAsset{
			AssetID: key(3).String(), Held: "5", Untracked: "0", Swaps: 2, Bought: sum, Sold: sum, In: sum, Out: sum, FIFO: both, Average: both,
		})
	}
	return a, err
}

func TestWallets(t *testing.T) {
	o := options()
	o.Wallets = fakeWallets{}
	h := api.New(o)
	for _, what := range []string{"balances", "portfolio", "pnl"} {
		path := "/v1/wallets/" + knownOwner.String() + "/" + what
		var a struct {
			Wallet   string
			Complete bool
			Reason   string
			Feed     string
		}
		get(t, h, path, &a)
		if a.Wallet != knownOwner.String() || !a.Complete || a.Reason != "" || a.Feed != "simulated" {
			t.Errorf("%s: %+v", what, a)
		}
		get(t, h, "/v1/wallets/"+key(5).String()+"/"+what, &a)
		if a.Complete || a.Reason != api.ReasonNoRPC {
			t.Errorf("%s of a new one: %+v", what, a)
		}
		for _, bad := range []string{"nope", "%00%ff", knownOwner.String()[1:]} {
			checkProblem(t, h, http.MethodGet, "/v1/wallets/"+bad+"/"+what, 400, api.CodeInvalidWallet, "owner")
		}
		checkProblem(t, h, http.MethodGet, path+"?a=%zz", 400, api.CodeBadParameter, "")
		checkProblem(t, h, http.MethodPost, path, 405, api.CodeMethodNotAllowed, "")
		response := checkProblem(t, h, http.MethodGet, "/v1/wallets/"+fullOwner.String()+"/"+what, 503, api.CodeTooManyWallets, "owner")
		if response.Header.Get("Retry-After") == "" {
			t.Error("it is not said when to come back")
		}
	}
}
