package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
)

// maxJSONValue bounds one JSON value, which has to stand in memory whole. The
// largest mainnet blocks have about 30 MB in the most verbose encoding.
const maxJSONValue = 256 << 20

// ItemError means that one item of an input, a transaction, a message or a
// file of a folder, could not be read. Reading may go on with the next one.
type ItemError struct {
	Where string // such as "transaction 12" or a file's path
	Err   error
}

// Error names the place and the cause.
func (e *ItemError) Error() string { return e.Where + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// Importer reads getTransaction and getBlock JSON and yields what Geyser
// would have sent for it: transaction updates, and one BlockMeta behind each
// block's transactions. One goroutine at a time.
type Importer struct {
	line *timeline
}

// Import reads r as JSON: one value, several (JSON lines), or a list, each a
// result object, bare or within its JSON-RPC envelope. It yields only what r
// states; see Open for slot updates around it. Memory is that of the largest
// single value.
func Import(r io.Reader) *Importer {
	return &Importer{line: &timeline{in: newJSONFeed(r, 0)}}
}

// Next returns the next update, which is the caller's to keep. io.EOF ends the
// input. An *ItemError concerns one transaction or value, and Next may be
// called again; other errors are final, swapcast.ErrCaptureCut among them.
func (im *Importer) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	return im.line.next(ctx)
}

// unit is one transaction, or the transactions of one block with its meta.
type unit struct {
	slot      uint64
	slotKnown bool
	blockTime int64 // Unix seconds, 0 unknown
	txs       []rpcTx
	block     *pb.SubscribeUpdateBlockMeta // nil for a lone transaction
	where     string
}

// jsonFeed yields the units of one JSON input.
type jsonFeed struct {
	dec    *json.Decoder
	budget *budgetReader
	limit  int // bytes that one value may have
	inList bool
	n      int    // values read
	hint   uint64 // slot that the file's name tells, 0 none
	err    error  // sticky
}

func newJSONFeed(r io.Reader, hint uint64) *jsonFeed {
	br, ok := r.(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(r, 64<<10)
	}
	if bom, _ := br.Peek(3); string(bom) == "\xef\xbb\xbf" {
		_, _ = br.Discard(3)
	}
	b := &budgetReader{r: br}
	return &jsonFeed{dec: json.NewDecoder(b), budget: b, limit: maxJSONValue, hint: hint}
}

// budgetReader fails where a single value asks for more than is left.
type budgetReader struct {
	r    io.Reader
	left int
}

var errValueTooLong = errors.New("a single JSON value is longer than 256 MB")

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errValueTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (f *jsonFeed) next() (step, error) {
	if f.err != nil {
		return step{}, f.err
	}
	u, err := f.unit()
	var item *ItemError
	if err != nil && !errors.As(err, &item) {
		f.err = err
	}
	return step{unit: u}, err
}

func (f *jsonFeed) unit() (*unit, error) {
	f.budget.left = f.limit
	if err := f.seek(); err != nil {
		return nil, f.position(err)
	}
	var v rpcItem
	err := f.dec.Decode(&v)
	where := fmt.Sprintf("item %d (ends at byte %d)", f.n+1, f.dec.InputOffset())
	var syntax *json.SyntaxError
	switch {
	case err == nil:
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errValueTooLong):
		return nil, f.position(err)
	default:
		f.n++
		return nil, &ItemError{Where: where, Err: err}
	}
	f.n++
	u, err := f.convert(&v)
	if err != nil {
		return nil, &ItemError{Where: where, Err: err}
	}
	u.where = where
	return u, nil
}

// seek enters and leaves lists until the decoder stands before a value.
func (f *jsonFeed) seek() error {
	for {
		if f.inList {
			if f.dec.More() {
				return nil
			}
			if _, err := f.dec.Token(); err != nil { // the bracket that closes it
				return cutWithin(err)
			}
			f.inList = false
		}
		c, err := f.peek()
		if err != nil {
			return err
		}
		if c != '[' {
			return nil
		}
		if _, err := f.dec.Token(); err != nil {
			return err
		}
		f.inList = true
	}
}

// peek gives the first byte of the next value without taking it.
func (f *jsonFeed) peek() (byte, error) {
	if f.dec.More() { // skips white space; true where a value or garbage follows
		buffered, ok := f.dec.Buffered().(io.ByteReader)
		if ok {
			for {
				c, err := buffered.ReadByte()
				if err != nil {
					break
				}
				if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
					return c, nil
				}
			}
		}
		return 0, nil
	}
	_, err := f.dec.Token() // the real error, or io.EOF
	if err == nil {
		err = errors.New("a closing bracket without its opening one")
	}
	return 0, err
}

// cutJSON is swapcast.ErrCaptureCut where the input is no capture.
type cutJSON struct{ items int }

func (e cutJSON) Error() string {
	return fmt.Sprintf("JSON after item %d: the text is cut off: a value or list in it does not end", e.items)
}

func (cutJSON) Is(target error) bool { return target == swapcast.ErrCaptureCut }

func cutWithin(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// position adds the place to an error that ends the input.
func (f *jsonFeed) position(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), f.inList && errors.Is(err, io.EOF):
		return cutJSON{items: f.n}
	case errors.Is(err, io.EOF):
		if f.n == 0 {
			return errors.New("JSON: no value")
		}
		return io.EOF
	default:
		return fmt.Errorf("JSON after item %d, near byte %d: %w", f.n, f.dec.InputOffset(), err)
	}
}

// convert finds out what a value is.
func (f *jsonFeed) convert(v *rpcItem) (*unit, error) {
	for depth := 0; v.Result != nil && depth < 2; depth++ {
		v = v.Result
	}
	u := &unit{}
	if v.BlockTime != nil {
		u.blockTime = int64(*v.BlockTime)
	}
	if v.Slot != nil {
		u.slot, u.slotKnown = uint64(*v.Slot), true
	}
	switch {
	case v.Error != nil:
		return nil, &NodeError{Code: v.Error.Code, Message: v.Error.Message}
	case v.Transaction != nil:
		u.txs = []rpcTx{v.rpcTx}
		return u, nil
	case v.Blockhash == nil && v.Transactions == nil:
		return nil, errors.New("neither a transaction nor a block (a result of null means: not found)")
	case v.Transactions == nil:
		return nil, errors.New("block without transactions: ask for transactionDetails full")
	}
	u.txs = v.Transactions
	u.block = &pb.SubscribeUpdateBlockMeta{
		ParentBlockhash:          v.PreviousBlockhash,
		ExecutedTransactionCount: uint64(len(v.Transactions)),
		Rewards:                  &pb.Rewards{Rewards: rewards(v.Rewards)},
	}
	if v.Blockhash != nil {
		u.block.Blockhash = *v.Blockhash
	}
	if v.BlockTime != nil {
		u.block.BlockTime = &pb.UnixTimestamp{Timestamp: int64(*v.BlockTime)}
	}
	if v.BlockHeight != nil {
		u.block.BlockHeight = &pb.BlockHeight{BlockHeight: uint64(*v.BlockHeight)}
	}
	if v.ParentSlot != nil {
		u.block.ParentSlot = uint64(*v.ParentSlot)
		if !u.slotKnown {
			u.slot, u.slotKnown = blockSlot(uint64(*v.ParentSlot), f.hint), true
		}
	}
	u.block.Slot = u.slot
	return u, nil
}

// blockSlot guesses a block's slot, which getBlock does not repeat: the number
// in the file's name where it can be true, else the parent's next.
func blockSlot(parent, hint uint64) uint64 {
	const longestSkip = 10_000 // slots without a block in a row, far above any outage of a leader
	if hint > parent && hint-parent < longestSkip {
		return hint
	}
	return parent + 1
}
