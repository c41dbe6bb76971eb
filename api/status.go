package api

import (
	"net/http"

	"github.com/swapcast/swapcast"
)

// Feed states of a Status.
const (
	StateHealthy      = "healthy"      // at least one source delivers
	StateStale        = "stale"        // connected, but silent for too long
	StateDisconnected = "disconnected" // no source is connected
)

// Status is the answer of /v1/status. The owner of the server fills it in, all
// but Feed, TS and the two limits of this package.
type Status struct {
	Feed  string `json:"feed"`  // "live", "simulated" or "replay"
	State string `json:"state"` // healthy, stale or disconnected
	// Message is one sentence for a person, "" where all is well.
	Message string `json:"message"`
	// Degraded says that something is wrong which clients do not feel yet: one of
	// several sources is away, or slots are being fetched from elsewhere.
	Degraded bool   `json:"degraded"`
	Slot     uint64 `json:"slot"` // newest seen, 0 none yet
	// ConfirmedSlot is the newest that was told as confirmed, 0 none yet.
	ConfirmedSlot uint64 `json:"confirmedSlot"`
	// Checkpoint is the slot up to which everything was told or is in Gaps.
	Checkpoint uint64 `json:"checkpoint"`
	// SlotMS is the measured length of a slot, 0 unknown.
	SlotMS float64 `json:"slotMs"`
	// Gaps are the slots that were lost for good, oldest first, the newest 256.
	Gaps []Gap `json:"gaps"`
	// LagMS is how long ago the newest update came, nil before the first.
	LagMS         *int64   `json:"lagMs"`
	Sources       []Source `json:"sources"`
	Epoch         string   `json:"epoch"` // names this server run; seq numbers count within it
	Version       string   `json:"version"`
	Commit        string   `json:"commit"`
	UptimeMS      int64    `json:"uptimeMs"`
	Connections   int64    `json:"connections"`   // open WebSocket connections
	Subscriptions int64    `json:"subscriptions"` // over all of them
	Limits        Limits   `json:"limits"`
	// TS is when the status was taken, milliseconds since 1970.
	TS int64 `json:"ts"`
}

// Gap is slots of which nothing is known.
type Gap struct {
	FromSlot uint64 `json:"fromSlot"`
	ToSlot   uint64 `json:"toSlot"` // included
	Reason   string `json:"reason"`
	TS       int64  `json:"ts"` // when it was given up, milliseconds since 1970
}

// Source is one upstream that the server reads.
type Source struct {
	Endpoint   string `json:"endpoint"` // without its token
	Connected  bool   `json:"connected"`
	Slot       uint64 `json:"slot"`
	Reason     string `json:"reason"` // why it is not connected, "" where it is
	Reconnects uint64 `json:"reconnects"`
	// First counts the transactions that it brought before every other source,
	// Behind those that it brought after another, and BehindMS by how much in the
	// recent mean. Disagreements counts its copies that were not believed.
	First         uint64  `json:"first"`
	Behind        uint64  `json:"behind"`
	BehindMS      float64 `json:"behindMs"`
	Disagreements uint64  `json:"disagreements"`
	// UncoveredKeys counts the programs, wallets and token accounts that it is not
	// asked for, because its provider refuses them or allows too few.
	UncoveredKeys int `json:"uncoveredKeys"`
	// WalletsBy is how it finds what wallets are sent: "owner", or "token_account"
	// where only their associated accounts of a few mints are watched; "" where no
	// wallet is followed.
	WalletsBy string `json:"walletsBy,omitempty"`
}

// Limits are what a client may rely on and must keep to. Zero means none.
type Limits struct {
	MaxMessageBytes   int64   `json:"maxMessageBytes"`   // of one WebSocket message from a client
	MessagesPerSecond float64 `json:"messagesPerSecond"` // from one client
	MaxSubscriptions  int     `json:"maxSubscriptions"`  // of one connection
	MaxConnections    int     `json:"maxConnections"`    // in all
	MaxConnectionsIP  int     `json:"maxConnectionsPerAddress"`
	MaxWindowMS       int     `json:"maxWindowMs"`
	MaxAssets         int     `json:"maxAssetsPerRequest"` // GET /v1/prices
	MaxTrades         int     `json:"maxTradesPerRequest"` // GET /v1/trades
}

// FeedName returns the word for a kind of feed in a Status: the empty Feed of
// the price messages is "live" here.
func FeedName(f swapcast.Feed) string {
	if f == swapcast.FeedLive {
		return "live"
	}
	return string(f)
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	s := h.Status()
	s.Feed = FeedName(h.Feed())
	s.TS = h.Now().UnixMilli()
	s.Limits.MaxAssets = MaxAssets
	s.Limits.MaxTrades = MaxTrades
	if s.Sources == nil {
		s.Sources = []Source{}
	}
	if s.Gaps == nil {
		s.Gaps = []Gap{}
	}
	writeJSON(w, http.StatusOK, "application/json", s)
}

// health says that the process answers, nothing more.
func (h *handler) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ok"})
}

// ready says whether clients should be sent here.
func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if h.Ready != nil {
		if err := h.Ready(); err != nil {
			writeProblem(w, newProblem(CodeNotReady, "", err.Error()))
			return
		}
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]string{"status": "ready"})
}
