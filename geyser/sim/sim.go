package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
)

// Options says what market to make. The zero value works.
type Options struct {
	// Seed chooses everything that is random. The same Options give the same
	// bytes; with another StartSlot the same seed has the same pools, wallets and
	// decisions, but signatures, blockhashes and launched mints of its own.
	Seed uint64
	// TPS is the mean number of transactions in a simulated second, 1 to
	// 50,000; 0 means 500.
	TPS int
	// Start is when the first slot begins; the zero time means
	// 2026-01-01T00:00:00Z, so that tests repeat.
	Start time.Time
	// StartSlot is the first slot; 0 means 420,000,000.
	StartSlot uint64
	// Slot is the length of a slot; 0 means 400 ms. Mainnet's is 250 ms or
	// less since September 2026: nothing that reads the stream may rely on it.
	Slot time.Duration
	// Launches is how many tokens a simulated minute launch on Pump.fun; 0 means
	// 6, negative none.
	Launches float64
	// Volatility multiplies every token's volatility, up to 50; 0 means 1.
	Volatility float64
	// Truth keeps the ground truth in memory for Market.Truth. It grows
	// without bound: for tests only.
	Truth bool
	// OnSwap and OnBalance are called for every swap and every balance change
	// of the ground truth, from within Next and before it returns the
	// transaction. The value is only valid during the call.
	OnSwap    func(*swapcast.Swap)
	OnBalance func(*swapcast.BalanceChange)
	// OnHolding is called likewise for every account of a transaction, changed or
	// not: its lamports, and its tokens where it is or was a token account.
	OnHolding func(Holding)
}

// ErrOptions means that Options holds a value out of range.
var ErrOptions = errors.New("option out of range")

func (o *Options) setDefaults() error {
	if o.TPS == 0 {
		o.TPS = 500
	}
	if o.TPS < 1 || o.TPS > 50_000 {
		return fmt.Errorf("TPS %d: %w", o.TPS, ErrOptions)
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.StartSlot == 0 {
		o.StartSlot = 420_000_000
	}
	if o.Slot == 0 {
		o.Slot = 400 * time.Millisecond
	}
	if o.Slot < time.Millisecond || o.Slot > time.Minute {
		return fmt.Errorf("slot length %v: %w", o.Slot, ErrOptions)
	}
	if o.Launches == 0 {
		o.Launches = 6
	}
	if o.Volatility == 0 {
		o.Volatility = 1
	}
	if o.Volatility < 0 || o.Volatility > 50 {
		return fmt.Errorf("volatility %v: %w", o.Volatility, ErrOptions)
	}
	return nil
}

// Market is a simulated chain with its traders. It belongs to the goroutine
// that calls Next; it starts none.
type Market struct {
	opt  Options
	rng  rng // decisions
	keys rng // addresses
	b    builder

	registry
	chain
	book
	population

	queue []*pb.SubscribeUpdate // updates ready to hand out
	head  int
	truth *Truth
}

// registry is what never changes once the market stands, but for the lookup
// tables, which only grow.
type registry struct {
	prog    programs
	dexes   dexes
	shared  sharedAccts // accounts that a DEX program has only one of
	mints   []*mint
	heights [8]uint32
	// altCount counts the accounts in the made-up lookup tables.
	altCount int
	altKeys  [][]byte
}

// book is the state of prices and pools.
type book struct {
	mids   []float64 // true US dollars a whole token, by mint index
	mid0   []float64 // the first ones
	lst    []float64 // staked SOL's own drift
	venues []venue
	byPair map[[2]int][]venue
	curves []*bondingCurve // traded on Pump.fun
	grown  []*bondingCurve // migrated, traded on PumpSwap

	launchCarry float64
}

// population is who acts.
type population struct {
	wallets     []*wallet
	bots        []*wallet
	bank        *wallet // an exchange's hot wallet: tops the others up, takes what they have too much
	tip         *acct   // a block builder's tip account
	voters      []voter
	volumes     map[*wallet]*acct
	swapVolumes map[*acct]*acct
}

// New builds the market's first state. No update has happened yet.
func New(o Options) (*Market, error) {
	if err := o.setDefaults(); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	m := &Market{
		opt:  o,
		rng:  rng{mix(o.Seed + golden)},
		keys: rng{mix(o.Seed ^ 0x5eed_ca57_0000_0001)},
	}
	m.byPair = make(map[[2]int][]venue)
	m.volumes, m.swapVolumes = make(map[*wallet]*acct), make(map[*acct]*acct)
	m.slotAt, m.slot, m.parent = o.Start.UnixNano(), o.StartSlot, o.StartSlot-1
	m.height = o.StartSlot
	if o.StartSlot > 22_000_000 {
		m.height -= 21_000_000 // as many as were skipped over the years, about
	}
	m.b.m = m
	for i := range m.heights {
		m.heights[i] = uint32(i)
	}
	if o.Truth {
		m.truth = &Truth{}
	}
	m.makePrograms()
	m.makeShared()
	m.makeMints()
	m.makePools()
	m.makeWallets()
	m.prev = m.blockhash(m.parent).String()
	// Pools and wallets have the same addresses in every run of a seed; tokens
	// that launch and signatures are new when the market starts again later.
	m.keys = rng{mix(m.keys.s ^ mix(o.StartSlot))}
	return m, nil
}

// Next returns the next update of the stream, in the order in which a
// Yellowstone server would send them, stamped with simulated time. It never
// sleeps and never ends; its only error is the context's. What it returns is
// the caller's, but account keys inside are shared and must not be written to.
func (m *Market) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for m.head >= len(m.queue) {
		m.advance()
	}
	u := m.queue[m.head]
	m.queue[m.head] = nil
	m.head++
	return u, nil
}

// unixNow is the block time of the slot being made, seconds.
func (m *Market) unixNow() int64 { return m.slotAt / 1e9 }

// sign writes the next signature: unique (its first word is a bijection of the
// transaction's number), and not one that any key made.
func (m *Market) sign(dst []byte) {
	m.txs++
	n := m.txs
	base := mix(m.opt.Seed ^ mix(m.opt.StartSlot))
	for i := 0; i < 64; i += 8 {
		le.PutUint64(dst[i:], mix(n+base+uint64(i)*golden))
	}
}

// blockhash is a slot's made-up blockhash.
func (m *Market) blockhash(slot uint64) solana.PublicKey {
	r := rng{mix(slot ^ mix(m.opt.Seed+77))}
	var k solana.PublicKey
	r.fill(k[:])
	return k
}

// tableKey is the address of a made-up lookup table.
func (m *Market) tableKey(t int) []byte {
	for len(m.altKeys) <= t {
		r := rng{mix(uint64(len(m.altKeys)) ^ mix(m.opt.Seed+78))}
		k := make([]byte, 32)
		r.fill(k)
		m.altKeys = append(m.altKeys, k)
	}
	return m.altKeys[t]
}
