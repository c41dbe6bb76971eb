package geyser

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gagliardetto/solana-go"
)

// Filter is what an endpoint is asked for, beside slot statuses and block
// metas, which always come. The zero value asks for all transactions but votes
// and failed ones, which many hosts refuse.
type Filter struct {
	// Programs selects transactions that name any of these accounts, failed
	// ones left out.
	Programs []solana.PublicKey
	// Wallets selects those that name one of these wallets, failed ones too: they
	// cost a fee; and those that change what one of its token accounts holds, as
	// far as the server can tell: see Options.TokenAccounts.
	Wallets []solana.PublicKey
	// Mints are those whose associated token accounts are watched for each
	// wallet where the server does not know token owners. Empty: wrapped SOL,
	// USDC and USDT.
	Mints []solana.PublicKey
	// Firehose asks for everything but votes, failed transactions too; the keys
	// above do not matter then.
	Firehose bool
}

// plan decides which stream asks for which keys. The lock is its own; nothing
// slow is done under it but deriving token accounts, once for each wallet.
type plan struct {
	// static
	unfiltered bool
	mode       TokenAccounts

	mu         sync.Mutex
	filter     Filter
	owners     bool // the server's filters know token owners, where mode leaves it open
	maxKeys    int  // in one filter, 0 unlimited
	maxFilters int  // in one request, 0 unlimited
	refused    map[solana.PublicKey]struct{}
	noWallets  time.Time // since when they are left out: the server refuses them, and does not say which
	derived    map[solana.PublicKey][]solana.PublicKey
	shares     []share // one at least
	most       int     // shares that there were at any time
	division   uint64  // counts how often keys went to streams that may run already
	dropped    int     // keys in no share
	changed    chan struct{}
	layout     atomic.Uint64 // division and number of shares, for parts; written with mu held
}

func newPlan(o *Options) *plan {
	p := &plan{
		unfiltered: o.Unfiltered, mode: o.TokenAccounts, maxKeys: o.MaxFilterKeys, maxFilters: o.MaxFilters,
		refused: make(map[solana.PublicKey]struct{}), derived: make(map[solana.PublicKey][]solana.PublicKey),
		changed: make(chan struct{}, 1),
	}
	p.set(Filter{Programs: o.Programs, Wallets: o.Wallets, Firehose: o.Firehose})
	return p
}

// set replaces the filter.
func (p *plan) set(f Filter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f.Programs, f.Wallets, f.Mints = distinct(f.Programs), distinct(f.Wallets), distinct(f.Mints)
	if !slices.Equal(f.Mints, p.filter.Mints) {
		clear(p.derived)
	}
	p.filter = f
	if time.Since(p.noWallets) > walletsAgain {
		p.noWallets = time.Time{}
	}
	p.divide(true)
}

// walletsAgain is how long wallets that broke the subscription are left out:
// each try costs the market's stream a reconnection.
const walletsAgain = 10 * time.Minute

func distinct(keys []solana.PublicKey) []solana.PublicKey {
	seen := make(map[solana.PublicKey]struct{}, len(keys))
	out := make([]solana.PublicKey, 0, len(keys))
	for _, k := range keys {
		if _, twice := seen[k]; !twice {
			seen[k] = struct{}{}
			out = append(out, k)
		}
	}
	return out
}

// selects reports whether keys decide which transactions come. Needs mu.
func (p *plan) selects() bool {
	return !p.unfiltered && !p.filter.Firehose && len(p.filter.Programs)+len(p.filter.Wallets) > 0
}

// byOwner reports whether wallets are matched by the server. Needs mu.
func (p *plan) byOwner() bool {
	return p.mode == TokenAccountsOn || p.mode == TokenAccountsAuto && p.owners
}

// asksVersion reports whether the server should be asked for its version (one
// that was too old may have been renewed), and whether the first request depends
// on it.
func (p *plan) asksVersion() (ask, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ask = p.mode == TokenAccountsAuto && !p.owners && !p.unfiltered
	return ask, ask && p.selects() && len(p.filter.Wallets) > 0
}

// ownersKnown notes that the server's filters know token owners.
func (p *plan) ownersKnown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.owners {
		p.owners = true
		p.divide(true)
	}
}

// count is how many streams the keys take, and by which division.
func (p *plan) count() (n int, division uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shares), p.division
}

// parts is how many streams the keys take as long as the division is the
// newest, 0 else. A stream that was opened with a share of it speaks of as many,
// whether Run has come to start the others or not.
func (p *plan) parts(division uint64) int {
	l := p.layout.Load()
	if l>>8 != division {
		return 0
	}
	return int(l & 0xff)
}

// How wallets are followed: what a status page says of it.
const (
	WalletsByOwner   = "owner"         // the server matches owners of token accounts
	WalletsByAccount = "token_account" // by the associated token accounts of Filter.Mints
)

// walletsBy is how the wallets are followed, "" where there are none.
func (p *plan) walletsBy() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.selects() || len(p.filter.Wallets) == 0:
		return ""
	case p.byOwner():
		return WalletsByOwner
	default:
		return WalletsByAccount
	}
}

// uncovered is how many keys are asked of the endpoint by no stream.
func (p *plan) uncovered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dropped
}

// The words in which the plugin refuses a filter; "only N allowed" follows the
// first two.
const (
	refusalFilters = "max amount of filters"
	refusalKeys    = "max amount of pubkeys"
)

//nolint:gochecknoglobals // constant
var (
	refusalLimit = regexp.MustCompile(`only (\d{1,9}) allowed`)
	refusalKey   = regexp.MustCompile(`(?i)pubkey ([1-9A-HJ-NP-Za-km-z]{32,44}) in filters is not allowed`)
)

// learn reads the text in which a server refused a request, and reports
// whether the next request will be another one, and how. Each answer narrows
// the plan, so that there is an end.
func (p *plan) learn(refusal string) (how string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.selects() {
		return "", false
	}
	text := strings.ToLower(refusal)
	limit := 0
	if m := refusalLimit.FindStringSubmatch(text); m != nil {
		limit, _ = strconv.Atoi(m[1])
	}
	keys := refusalKey.FindStringSubmatch(refusal)
	limits := false // the shares must be made anew
	switch {
	case strings.Contains(text, refusalFilters):
		ok = lower(&p.maxFilters, limit, p.mostFilters())
		limits = ok
		how = fmt.Sprintf("filters in one request: %d", p.maxFilters)
	case strings.Contains(text, refusalKeys):
		ok = lower(&p.maxKeys, limit, p.mostKeys())
		limits = ok
		how = fmt.Sprintf("keys in one filter: %d", p.maxKeys)
	case keys != nil:
		how = "without " + keys[1]
		ok = p.refuse(keys[1])
	}
	if !ok && p.noWallets.IsZero() && len(p.filter.Wallets) > 0 && len(p.filter.Programs) > 0 {
		p.noWallets, ok, how = time.Now(), true, "without any wallet"
	}
	if ok {
		p.divide(!limits)
	}
	return how, ok
}

// suspect leaves the wallets out where the server may have refused them without
// a word, and lets them in again where that did not help: it is called while
// streams stay open and bring nothing. It reports whether they are out now.
func (p *plan) suspect() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.selects() || len(p.filter.Wallets) == 0 || len(p.filter.Programs) == 0 {
		return false
	}
	out := p.noWallets.IsZero()
	p.noWallets = time.Time{}
	if out {
		p.noWallets = time.Now()
	}
	p.divide(true)
	return out
}

// lower makes limit the new bound, or half of what was asked for where the
// server named none, and reports whether that is a narrower one that can work.
func lower(bound *int, limit, asked int) bool {
	if limit == 0 {
		limit = asked / 2
	}
	if limit < 1 || *bound != 0 && limit >= *bound {
		return false
	}
	*bound = limit
	return true
}

// refuse leaves out a watched key that the server does not allow. A program is
// not left out: the market would be incomplete and look as if it were not.
func (p *plan) refuse(text string) bool {
	k, err := solana.PublicKeyFromBase58(text)
	if err != nil {
		return false
	}
	for i := range p.shares {
		if slices.Contains(p.shares[i].watched, k) {
			p.refused[k] = struct{}{}
			return true
		}
	}
	return false
}

// mostKeys is the length of the longest list of a request. Needs mu.
func (p *plan) mostKeys() (n int) {
	for i := range p.shares {
		s := &p.shares[i]
		most := max(len(s.programs), len(s.watched))
		if p.maxFilters == 1 {
			most = len(s.programs) + len(s.watched)
		}
		if p.maxKeys > 0 {
			most = min(most, p.maxKeys)
		}
		n = max(n, most)
	}
	return n
}

// mostFilters is how many filters the largest request has. Needs mu.
func (p *plan) mostFilters() (n int) {
	for i := range p.shares {
		n = max(n, len(p.filters(p.shares[i])))
	}
	return n
}
