package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
)

// Wallets answers what is asked of wallets. To ask is to have it followed from then
// on, for a while. Errors are ErrTooManyWallets or unexpected.
type Wallets interface {
	Balances(ctx context.Context, owner solana.PublicKey) (WalletBalances, error)
	Portfolio(ctx context.Context, owner solana.PublicKey) (Portfolio, error)
	PnL(ctx context.Context, owner solana.PublicKey) (PnL, error)
}

// ErrTooManyWallets says that there is no room to follow another wallet.
var ErrTooManyWallets = errors.New("as many wallets are followed as may be")

// WalletHead begins each answer about a wallet.
type WalletHead struct {
	Wallet     string        `json:"wallet"`
	Commitment string        `json:"commitment"` // "processed": what a dead slot did is taken back
	Complete   bool          `json:"complete"`   // nothing is missing; else Reason says what
	Reason     string        `json:"reason,omitempty"`
	Slot       uint64        `json:"slot"` // the newest of which anything was seen
	TS         int64         `json:"ts"`   // when this was worked out, ms since 1970
	Feed       swapcast.Feed `json:"feed,omitempty"`
}

// Why an answer is not complete.
const (
	ReasonNoRPC    = "no_rpc"   // no node can be asked: only what the stream showed since the wallet is followed
	ReasonSnapshot = "snapshot" // what it held before is still being asked for
	ReasonHistory  = "history"  // what it did before is still being read, or not to be had
	ReasonCost     = "cost"     // what something cost, or fetched, is not known
)

// WalletBalances is the answer of /v1/wallets/{owner}/balances.
type WalletBalances struct {
	WalletHead
	SnapshotSlot *uint64         `json:"snapshotSlot"` // of the oldest snapshot that this rests on, null none
	Balances     []WalletBalance `json:"balances"`
}

// WalletBalance is one holding: the wallet's own lamports (Native), or all its
// token accounts of a mint. Wrapped SOL is a holding of its own.
type WalletBalance struct {
	AssetID   string  `json:"assetId"`
	Symbol    string  `json:"symbol"` // "" unknown
	Native    bool    `json:"native,omitempty"`
	Amount    string  `json:"amount"` // raw units
	Decimals  uint8   `json:"decimals"`
	Slot      uint64  `json:"slot"`      // of the newest change, or of the snapshot
	Signature *string `json:"signature"` // of the change, null from a snapshot
}

// Portfolio is the answer of /v1/wallets/{owner}/portfolio.
type Portfolio struct {
	WalletHead
	ValueUSD *float64         `json:"valueUsd"` // of what has a price, null where nothing has
	ValueSOL *float64         `json:"valueSol"`
	Unpriced int              `json:"unpriced"` // holdings that have none
	Assets   []PortfolioAsset `json:"assets"`   // dearest first, then those without a price
}

// PortfolioAsset is one holding with its value.
type PortfolioAsset struct {
	AssetID    string   `json:"assetId"`
	Symbol     string   `json:"symbol"`
	Native     bool     `json:"native,omitempty"`
	Amount     string   `json:"amount"`
	Decimals   uint8    `json:"decimals"`
	Price      *float64 `json:"price"` // US dollars per whole token
	Confidence *float64 `json:"confidence"`
	ValueUSD   *float64 `json:"valueUsd"`
	ValueSOL   *float64 `json:"valueSol"`
	Share      *float64 `json:"share"` // of ValueUSD of all, 0 to 1
}

// PnL is the answer of /v1/wallets/{owner}/pnl. Money is exact, as decimal strings
// of whole dollars or SOL; amounts are raw units.
type PnL struct {
	WalletHead
	FIFO         Gains      `json:"fifo"`
	Average      Gains      `json:"average"`
	Fees         Sum        `json:"fees"` // of the network, in lamports
	Swaps        int        `json:"swaps"`
	Transactions int        `json:"transactions"`
	History      History    `json:"history"`
	Assets       []PnLAsset `json:"assets"`
}

// Gains are in both units.
type Gains struct {
	USD Gain `json:"usd"`
	SOL Gain `json:"sol"`
}

// Gain is profit and loss. Of what has no known cost or value no gain is known:
// that is left out of it, and counted for each asset.
type Gain struct {
	Realized   string  `json:"realized"`
	Unrealized *string `json:"unrealized"` // null where something held has no price
	Cost       string  `json:"cost"`       // of what is held at known cost
	Worth      *string `json:"worth"`      // of the same, now
	// Of one asset, raw units: held at known and at unknown cost, and given away
	// for something without a known gain.
	Held    string `json:"held,omitempty"`
	Unknown string `json:"unknown,omitempty"`
	Blind   string `json:"blind,omitempty"`
}

// Sum is an amount with what it was worth when it moved.
type Sum struct {
	Amount string `json:"amount"`
	USD    string `json:"usd"`
	SOL    string `json:"sol"`
	// Raw units whose worth is not known, and which are not in USD and SOL.
	UnknownUSD string `json:"unknownUsd,omitempty"`
	UnknownSOL string `json:"unknownSol,omitempty"`
}

// History says how far back it goes.
type History struct {
	State           string  `json:"state"` // see the States
	Transactions    int     `json:"transactions"`
	OldestSlot      *uint64 `json:"oldestSlot"`
	OldestBlockTime *int64  `json:"oldestBlockTime"`
	Missing         int     `json:"missing"` // transactions that no node gives
}

// States of a history.
const (
	HistoryNone      = "none"      // there is no node to ask
	HistoryReading   = "reading"   // older transactions are still coming
	HistoryComplete  = "complete"  // read to the beginning of what nodes know
	HistoryTruncated = "truncated" // there is more than is read of one wallet
)

// PnLAsset is one asset.
type PnLAsset struct {
	AssetID   string `json:"assetId"`
	Symbol    string `json:"symbol"`
	Decimals  uint8  `json:"decimals"`
	Held      string `json:"held"`      // that the transactions leave
	Untracked string `json:"untracked"` // held besides: its transactions are not known
	Swaps     int    `json:"swaps"`
	Bought    Sum    `json:"bought"`
	Sold      Sum    `json:"sold"`
	In        Sum    `json:"in"`  // transfers
	Out       Sum    `json:"out"` // transfers
	FIFO      Gains  `json:"fifo"`
	Average   Gains  `json:"average"`
}

// walletTimeout bounds the work for one answer.
const walletTimeout = 10 * time.Second

// ofWallet serves what a function says of the wallet in the path.
func ofWallet[T any](h *handler, answer func(w Wallets, ctx context.Context, owner solana.PublicKey) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if h.Wallets == nil {
			notImplemented(w, r)
			return
		}
		text := r.PathValue("owner")
		owner, err := swapcast.ParseKey(text)
		if err != nil {
			writeProblem(w, newProblem(CodeInvalidWallet, "owner", fmt.Sprintf("%q is not the base58 address of a wallet", echo(text))))
			return
		}
		if _, p := readQuery(r.URL.RawQuery); p != nil {
			writeProblem(w, p)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), walletTimeout)
		defer cancel()
		v, err := answer(h.Wallets, ctx, owner)
		switch {
		case errors.Is(err, ErrTooManyWallets):
			w.Header().Set("Retry-After", "60")
			writeProblem(w, newProblem(CodeTooManyWallets, "owner", "the server follows as many wallets as it may; try again later"))
		case err != nil:
			writeProblem(w, newProblem(CodeNotReady, "", "the answer could not be worked out in time"))
		default:
			writeJSON(w, http.StatusOK, "application/json", v)
		}
	}
}
