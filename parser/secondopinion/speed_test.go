package secondopinion

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/rpc"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

var speed = flag.Bool("speed", false, "measure the parsers side by side (make bench-parser)")

const (
	speedBlock   = "slot_361774429.getBlock.base64.json"
	speedRounds  = 5
	speedSeconds = 0.3

	// What the parser was built to: transactions a second and core that hold
	// swaps, and allocations a swap beyond the decode.
	targetDecoded = 100_000
	targetBytes   = 25_000
	targetAllocs  = 4
)

// sample is a transaction in every form that a contestant starts from.
type sample struct {
	signature string
	message   []byte              // of the stream: a SubscribeUpdate
	update    *pb.SubscribeUpdate // the same, decoded
	wire      []byte              // the signed transaction alone, as solana-go reads it
	bare      []byte              // message without what the transaction did, but for looked-up addresses and lamports
	answer    []byte              // the RPC's JSON with what it did, as solana-go reads that
	view      *swapcast.Transaction
}

// pass goes once through a set and returns how many swaps it found.
type pass func(set []sample) (swaps int, err error)

// contestants are ours and solana-go's, by what they do and who they are.
func contestants() []struct {
	work, who string
	target    float64
	run       pass
} {
	var (
		p    = parser.New()
		d    = geyser.NewDecoder()
		w    = geyser.NewWireDecoder()
		r    parser.Result
		tx   swapcast.Transaction
		e    geyser.Event
		each = func(do func(s *sample) (int, error)) pass {
			return func(set []sample) (swaps int, err error) {
				for i := range set {
					n, err := do(&set[i])
					if err != nil {
						return 0, fmt.Errorf("%s: %w", set[i].signature, err)
					}
					swaps += n
				}
				return swaps, nil
			}
		}
		parsed = func(tx *swapcast.Transaction) int {
			p.Parse(tx, &r)
			return len(r.Swaps)
		}
	)
	return []struct {
		work, who string
		target    float64
		run       pass
	}{
		{workView, "swapcast", 0, each(func(s *sample) (int, error) { return parsed(s.view), nil })},
		{workDecoded, "swapcast", targetDecoded, each(func(s *sample) (int, error) {
			err := d.Transaction(s.update.GetTransaction(), &tx)
			return parsed(&tx), err
		})},
		{workBytes, "swapcast", targetBytes, each(func(s *sample) (int, error) {
			err := w.Update(s.message, &e)
			return parsed(e.Tx), err
		})},
		{workBytes, "swapcast by generated protobuf", targetBytes, each(func(s *sample) (int, error) {
			var u pb.SubscribeUpdate
			err := proto.Unmarshal(s.message, &u)
			if err == nil {
				err = d.Transaction(u.GetTransaction(), &tx)
			}
			return parsed(&tx), err
		})},
		{workDecode, "swapcast, protobuf", 0, each(func(s *sample) (int, error) { return 0, w.Update(s.message, &e) })},
		{workDecode, "solana-go, JSON of the RPC", 0, each(func(s *sample) (int, error) {
			var answer rpc.TransactionWithMeta
			err := json.Unmarshal(s.answer, &answer)
			if err == nil {
				_, err = answer.GetTransaction()
			}
			return 0, err
		})},
		{workBare, "swapcast, protobuf", 0, each(func(s *sample) (int, error) { return 0, w.Update(s.bare, &e) })},
		{workBare, "solana-go, wire form", 0, each(func(s *sample) (int, error) {
			_, err := solana.TransactionFromBytes(s.wire)
			return 0, err
		})},
	}
}

// The work that is measured.
const (
	workView    = "parse"
	workDecoded = "decoded -> swaps"
	workBytes   = "bytes -> swaps"
	workDecode  = "decode transaction and meta"
	workBare    = "decode transaction alone"
)

// result is what one contestant did with one set.
type result struct {
	set, work, who string
	perSecond      float64 // transactions a second of processor time
	swaps          int     // or trades, of one pass
	allocs         float64 // a transaction, negative where unknown
	target         float64
}

// TestSpeed measures ours, solana-dex-parser and solana-go's decoder over the same
// transactions of a mainnet block, in turn and in one run, and prints one table.
// Times are of the processor, the collectors' included. It fails where a target
// is missed. Without -speed it does nothing.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("for make bench-parser")
	}
	all := samples(t)
	sets := map[string][]sample{}
	for _, s := range all {
		if s.view.Vote || s.view.Failed {
			continue
		}
		sets[setBlock] = append(sets[setBlock], s)
		var r parser.Result
		if parser.New().Parse(s.view, &r); len(r.Swaps) > 0 {
			sets[setSwaps] = append(sets[setSwaps], s)
		}
	}
	var results []result
	for _, name := range []string{setSwaps, setBlock} {
		results = append(results, ours(t, name, sets[name])...)
	}
	results = append(results, node(t, sets)...)
	for _, r := range results {
		if r.set == setSwaps && r.perSecond < r.target {
			t.Errorf("%s, %s: %.0f transactions a second and core, want %.0f", r.work, r.who, r.perSecond, r.target)
		}
		if perSwap := r.allocs * float64(len(sets[r.set])) / float64(max(r.swaps, 1)); r.work == workView && perSwap > targetAllocs {
			t.Errorf("%.1f allocations a swap, want at most %d", perSwap, targetAllocs)
		}
	}
	t.Logf("\n%s", speedTable(results, sets))
}

// The sets of transactions.
const (
	setSwaps = "with swaps"
	setBlock = "all but votes and failed"
)

// samples reads the block: its messages as a stream would carry them, and its
// transactions' own bytes.
func samples(t *testing.T) (out []sample) {
	t.Helper()
	path := filepath.Join(parsertest.CorpusDir(t), "blocks", speedBlock)
	var file struct {
		Result       *struct{ Transactions []json.RawMessage }
		Transactions []json.RawMessage
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	if file.Result != nil {
		file.Transactions = file.Result.Transactions
	}
	f, err := capture.OpenPlain(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if u.GetTransaction() == nil {
			continue
		}
		s, err := newSample(u, file.Transactions[len(out)])
		if err != nil {
			t.Fatalf("transaction %d of the block: %v", len(out), err)
		}
		out = append(out, s)
	}
	return out
}

// newSample makes all forms of a transaction of the block, given as an update of
// the stream and as the RPC's JSON.
func newSample(u *pb.SubscribeUpdate, answer []byte) (s sample, err error) {
	s = sample{update: u, view: new(swapcast.Transaction), answer: answer}
	if err := geyser.NewDecoder().Transaction(u.GetTransaction(), s.view); err != nil {
		return s, err
	}
	s.signature = s.view.Signature.String()
	if s.message, err = proto.Marshal(u); err != nil {
		return s, err
	}
	bare := proto.CloneOf(u)
	meta := bare.GetTransaction().GetTransaction().GetMeta()
	bare.GetTransaction().Transaction.Meta = &pb.TransactionStatusMeta{
		LoadedWritableAddresses: meta.GetLoadedWritableAddresses(), LoadedReadonlyAddresses: meta.GetLoadedReadonlyAddresses(),
		PreBalances: meta.GetPreBalances(), PostBalances: meta.GetPostBalances(), // else it is refused
	}
	if s.bare, err = proto.Marshal(bare); err != nil {
		return s, err
	}
	var raw struct{ Transaction []string }
	if err := json.Unmarshal(answer, &raw); err != nil {
		return s, err
	}
	if s.wire, err = base64.StdEncoding.DecodeString(raw.Transaction[0]); err != nil {
		return s, err
	}
	if !bytes.Equal(s.wire[1:65], s.view.Signature[:]) {
		return s, fmt.Errorf("%s is another in the file", s.signature)
	}
	return s, nil
}

// ours measures the Go contestants on one set, in turn in each round.
func ours(t *testing.T, name string, set []sample) []result {
	t.Helper()
	list := contestants()
	results := make([]result, len(list))
	rounds := make([][]float64, len(list))
	for round := range speedRounds + 1 { // the first one warms up
		for i, c := range list {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began, n, used := processorTime(t), 0, time.Duration(0)
			for used.Seconds() < speedSeconds {
				swaps, err := c.run(set)
				if err != nil {
					t.Fatal(err)
				}
				results[i].swaps = swaps
				n += len(set)
				used = processorTime(t) - began
			}
			runtime.ReadMemStats(&after)
			if round > 0 {
				rounds[i] = append(rounds[i], float64(n)/used.Seconds())
			}
			results[i].allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
		}
	}
	for i, c := range list {
		r := &results[i]
		r.set, r.work, r.who, r.target, r.perSecond = name, c.work, c.who, c.target, median(rounds[i])
	}
	return results
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// processorTime is what this process has used so far, in all its threads.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// node has the library measure itself over the same sets.
func node(t *testing.T, sets map[string][]sample) (results []result) {
	t.Helper()
	list := map[string][]string{}
	for name, set := range sets {
		for _, s := range set {
			list[name] = append(list[name], s.signature)
		}
	}
	in, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), nodeFor(t, "speed.mjs", "response.mjs"), "speed.mjs",
		filepath.Join(parsertest.CorpusDir(t), "blocks", speedBlock), strconv.Itoa(speedRounds), fmt.Sprint(speedSeconds))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	work := map[string]string{"parse": workView, "bytes": workBytes, "decode": workBare}
	who := map[string]string{"parse": library, "bytes": library + ", meta decoded before", "decode": "@solana/web3.js, wire form"}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var line struct {
			Set, Way  string
			Trades    int
			PerSecond []float64
		}
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return results
		} else if err != nil {
			t.Fatal(err)
		}
		results = append(results, result{
			set: line.Set, work: work[line.Way], who: who[line.Way], perSecond: median(line.PerSecond), swaps: line.Trades, allocs: -1,
		})
	}
}

// speedTable prints the results by set and work, ours first, with how many times
// faster ours is than each.
func speedTable(results []result, sets map[string][]sample) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "transactions\twork\t\ttx/s a core\tswaps\tallocations a tx\tswapcast is faster by\ttarget\t")
	for _, set := range []string{setSwaps, setBlock} {
		for _, work := range []string{workView, workDecoded, workBytes, workDecode, workBare} {
			first := 0.0
			for _, own := range []bool{true, false} {
				for _, r := range results {
					if r.set != set || r.work != work || strings.HasPrefix(r.who, "swapcast") != own {
						continue
					}
					allocs, faster, target := "-", "", ""
					if r.allocs >= 0 {
						allocs = fmt.Sprintf("%.1f", r.allocs)
					}
					if first == 0 {
						first = r.perSecond
					} else {
						faster = fmt.Sprintf("%.1f", first/r.perSecond)
					}
					if r.target > 0 && set == setSwaps {
						target = fmt.Sprintf("%.0f", r.target)
					}
					_, _ = fmt.Fprintf(w, "%s, %d\t%s\t%s\t%.0f\t%d\t%s\t%s\t%s\t\n", set, len(sets[set]), work, r.who, r.perSecond, r.swaps, allocs, faster, target)
				}
			}
		}
	}
	_ = w.Flush()
	return b.String()
}
