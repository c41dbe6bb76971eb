package onchain

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/wallet"
)

// Options configure a Keeper. RPC, Book, Positions, Load and Changed are needed.
type Options struct {
	RPC *rpcpool.Pool // share it with everybody who asks the same endpoints
	// Book says which snapshots are wanted, and Load takes them; false: there is
	// nobody any more who would.
	Book *wallet.Book
	Load func(context.Context, *wallet.Snapshot) bool
	// Positions say which history is wanted and take it; Changed is told afterwards.
	Positions *wallet.Positions
	Changed   func(owner solana.PublicKey)
	// Decimals are those of mints that are known already.
	Decimals func(mint solana.PublicKey) (uint8, bool)
	// Price is what a mint was worth at a time, Unix seconds. Nil: nothing is known.
	Price func(mint solana.PublicKey, at int64) (usd float64, ok bool)

	// Accounts is how many token accounts of a wallet have their history read.
	// Default 16.
	Accounts int
	// Page is how many transactions of a history are read before they are taken.
	// Default 25, at most 1,000.
	Page int
	// Parallel is how many wallets are asked about at a time, and how many have
	// their history read: one fewer, so that a snapshot never waits for history.
	// Default 4, at least 2.
	Parallel int
	// BackoffMin and BackoffMax bound the pause after a failure. Defaults 500 ms
	// and 1 minute.
	BackoffMin, BackoffMax time.Duration

	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts nothing
}

// Keeper asks until nothing is missing. See the package comment.
type Keeper struct {
	// static after New
	o      Options
	reader Reader
	wake   chan struct{} // one slot

	mu sync.Mutex
	// guarded by mu
	jobs    map[solana.PublicKey]*job
	due     [numKinds]queue
	reading int // how many are at history
	seq     uint64
}

// job is a wallet of which something is missing.
type job struct {
	owner    solana.PublicKey
	kind     kind
	at       time.Time // not before
	seq      uint64    // among those of one time
	busy     bool
	reading  bool // busy, and counted in Keeper.reading
	again    bool // wanted while it was busy
	failures int  // in a row
	place    int  // in the queue, -1 for none
}

// kind is what is asked for next.
type kind uint8

const (
	snapshots kind = iota
	history
	numKinds
)

// String is the metric's label.
func (k kind) String() string { return [...]string{"snapshot", "history"}[k] }

// New makes a Keeper.
func New(o Options) (*Keeper, error) {
	if o.RPC == nil || o.Book == nil || o.Positions == nil || o.Load == nil || o.Changed == nil {
		return nil, errors.New("onchain: an option is missing")
	}
	if o.Price == nil {
		o.Price = func(solana.PublicKey, int64) (float64, bool) { return 0, false }
	}
	if o.Accounts <= 0 {
		o.Accounts = 16
	}
	if o.Page <= 0 {
		o.Page = 25
	}
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	o.Parallel = max(o.Parallel, 2)
	if o.BackoffMin <= 0 {
		o.BackoffMin = 500 * time.Millisecond
	}
	if o.BackoffMax <= 0 {
		o.BackoffMax = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{
		o: o, reader: Reader{RPC: o.RPC, Decimals: o.Decimals},
		wake: make(chan struct{}, 1), jobs: make(map[solana.PublicKey]*job),
	}, nil
}

// Want says that something of a wallet may be missing.
func (k *Keeper) Want(owner solana.PublicKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	j := k.jobs[owner]
	switch {
	case j == nil:
		j = &job{owner: owner, place: -1}
		k.jobs[owner] = j
		k.queue(j, time.Time{})
	case j.busy:
		j.again = true
	case j.failures == 0:
		k.queue(j, time.Time{})
	}
	k.o.Metrics.left(len(k.jobs))
	k.nudge()
}

// Forget says that a wallet is not watched any more.
func (k *Keeper) Forget(owner solana.PublicKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if j := k.jobs[owner]; j != nil {
		if j.place >= 0 {
			heap.Remove(&k.due[j.kind], j.place)
		}
		delete(k.jobs, owner)
	}
	k.o.Metrics.left(len(k.jobs))
}

func (k *Keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

// queue has a job done at a time. Called with mu held.
func (k *Keeper) queue(j *job, at time.Time) {
	if j.place >= 0 {
		heap.Remove(&k.due[j.kind], j.place)
	}
	j.kind = history
	if _, lacks := k.lacks(j.owner); lacks {
		j.kind = snapshots
	}
	if j.at = at; j.failures == 0 && j.kind == snapshots {
		j.at = time.Time{} // before all history
	}
	k.seq++
	j.seq = k.seq
	heap.Push(&k.due[j.kind], j)
}

// lacks is the first part of which a snapshot is wanted.
func (k *Keeper) lacks(owner solana.PublicKey) (wallet.Part, bool) {
	for _, part := range [...]wallet.Part{wallet.PartSOL, wallet.PartToken, wallet.PartToken2022} {
		if _, lacks := k.o.Book.Lacks(owner, part); lacks {
			return part, true
		}
	}
	return 0, false
}

// Run asks until ctx ends, which is no error.
func (k *Keeper) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	free := make(chan struct{}, k.o.Parallel)
	for {
		j, wait := k.next()
		if j == nil {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-k.wake:
			case <-timer.C:
			}
			timer.Stop()
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case free <- struct{}{}:
		}
		workers.Go(func() {
			defer func() { <-free }()
			k.settle(ctx, j, k.do(ctx, j))
		})
	}
}

// next is a job that may be done now, or how long until there may be one.
func (k *Keeper) next() (*job, time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	soonest := time.Hour
	for kind := range k.due {
		if len(k.due[kind]) == 0 || kind == int(history) && k.reading >= k.o.Parallel-1 {
			continue
		}
		j := k.due[kind][0]
		wait := time.Until(j.at)
		if wait <= 0 {
			heap.Pop(&k.due[kind])
			j.busy = true
			if j.kind == history {
				j.reading = true
				k.reading++
			}
			return j, 0
		}
		soonest = min(soonest, wait)
	}
	return nil, soonest
}

// outcome is how one question ended.
type outcome struct {
	done bool // nothing is missing any more
	err  error
}

var errLagging = errors.New("the node is behind what is needed")

// do asks the next question about a wallet.
func (k *Keeper) do(ctx context.Context, j *job) outcome {
	if part, lacks := k.lacks(j.owner); lacks {
		j.kind = snapshots
		s, err := k.reader.Snapshot(ctx, j.owner, part)
		if err != nil {
			return outcome{err: err}
		}
		if from, _ := k.o.Book.Lacks(j.owner, part); s.Slot < from || s.Slot == 0 {
			return outcome{err: errLagging}
		}
		return outcome{done: !k.o.Load(ctx, s)}
	}
	j.kind = history
	k.o.Positions.SearchAccounts(j.owner, k.o.Book.Accounts(j.owner, k.o.Accounts))
	span, left := k.o.Positions.Next(j.owner)
	if !left {
		return outcome{done: true}
	}
	page, err := k.page(ctx, j.owner, span)
	if err != nil {
		return outcome{err: err}
	}
	if k.o.Positions.Fill(j.owner, page) {
		k.o.Changed(j.owner)
	}
	return outcome{}
}

// settle notes how a question ended, and when the next one comes.
func (k *Keeper) settle(ctx context.Context, j *job, o outcome) {
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	j.busy = false
	if j.reading {
		j.reading = false
		k.reading--
	}
	again := j.again
	j.again = false
	if k.jobs[j.owner] != j {
		return // nobody watches it any more
	}
	switch {
	case o.err != nil:
		j.failures++
		label := "failed"
		if errors.Is(o.err, errLagging) {
			label = "lagging"
		} else {
			k.o.Logger.Warn("a watched wallet could not be read; it will be asked for again", "wallet", j.owner, "what", j.kind.String(), "failures", j.failures, "error", o.err)
		}
		k.o.Metrics.read(j.kind, label)
		k.queue(j, time.Now().Add(k.backoff(j.failures)))
	case o.done && !again:
		delete(k.jobs, j.owner)
	default:
		if !o.done {
			k.o.Metrics.read(j.kind, "ok")
		}
		j.failures = 0
		k.queue(j, time.Now()) // behind those that wait
	}
	k.o.Metrics.left(len(k.jobs))
	k.nudge()
}

// backoff is the pause after the nth failure in a row.
func (k *Keeper) backoff(n int) time.Duration {
	ceiling := k.o.BackoffMax
	if n < 20 && k.o.BackoffMin<<(n-1) < ceiling {
		ceiling = k.o.BackoffMin << (n - 1)
	}
	return ceiling/2 + rand.N(ceiling/2)
}

// queue is the jobs by when they are due.
type queue []*job

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	j := x.(*job)
	j.place = len(*q)
	*q = append(*q, j)
}

func (q *queue) Pop() any {
	old := *q
	j := old[len(old)-1]
	j.place = -1
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return j
}
