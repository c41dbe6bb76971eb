package capture

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"

	"github.com/swapcast/swapcast"
)

// File is an opened input of any kind. One goroutine at a time.
type File struct {
	line   *timeline
	closer io.Closer
	feed   swapcast.Feed
}

// Open opens a capture (either form), a JSON file of getTransaction or
// getBlock results, or a folder of those; "-" is standard input. A folder is
// read in order of slot, then transaction index, then name, one file at a
// time; files whose names end otherwise than in .json, .jsonl, .ndjson, .zst,
// .capture or .bin are passed over, and folders within it too.
//
// RPC JSON knows no slot updates, so Open puts them around each slot's
// transactions as a server would have sent them: first shred and bank created
// before; completed, block meta (blocks only), processed, confirmed and
// finalized behind. CreatedAt is made from the block time, spread over 400 ms;
// without any block time there is none. A transaction whose slot is not known
// gets the next slot behind the one before it, or 1: a stream has no updates
// without a slot.
func Open(path string) (*File, error) { return open(path, os.Stdin, true) }

// OpenPlain is Open without anything made up: no slot updates, no CreatedAt,
// slot 0 where it is not known. stdin is what "-" reads.
func OpenPlain(path string, stdin io.Reader) (*File, error) { return open(path, stdin, false) }

func open(path string, stdin io.Reader, slots bool) (*File, error) {
	if path == "-" {
		in, err := newFeed(stdin, 0)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return &File{line: &timeline{in: in, slots: slots}, closer: in, feed: in.recorded()}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	var in feedCloser
	if info.IsDir() {
		in, err = openFolder(path)
	} else {
		in, err = openFeed(path)
	}
	if err != nil {
		return nil, err
	}
	return &File{line: &timeline{in: in, slots: slots}, closer: in, feed: in.recorded()}, nil
}

// Next returns the next update, which is the caller's to keep. io.EOF is the
// end. After an *ItemError (one transaction, message or file could not be
// read) Next may be called again and goes on behind it. Any other error is
// final and comes after all that could be read before it.
func (f *File) Next(ctx context.Context) (*pb.SubscribeUpdate, error) { return f.line.next(ctx) }

// Feed is what the captures in the input say was recorded: simulated where any
// of them was made from a made-up market. RPC JSON says nothing, which reads as
// a live chain.
func (f *File) Feed() swapcast.Feed { return f.feed }

// Close closes what Open opened.
func (f *File) Close() error { return f.closer.Close() }

type feedCloser interface {
	feed
	io.Closer
	recorded() swapcast.Feed
}

// openFeed opens one file.
func openFeed(path string) (feedCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in, err := newFeed(f, slotInName(filepath.Base(path)))
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in.path, in.file = path, f
	return in, nil
}

// plainFeed is a single input, of whatever form it turns out to be.
type plainFeed struct {
	json   *jsonFeed
	reader *Reader
	path   string // "" standard input
	file   io.Closer
}

func newFeed(r io.Reader, hint uint64) (*plainFeed, error) {
	src := bufio.NewReaderSize(r, 64<<10)
	form, err := sniff(src)
	if err != nil {
		return nil, err
	}
	if form == formJSON {
		return &plainFeed{json: newJSONFeed(src, hint)}, nil
	}
	reader, err := newReader(src, form)
	return &plainFeed{reader: reader}, err
}

func (p *plainFeed) next() (s step, err error) {
	if p.json != nil {
		s, err = p.json.next()
		if s.unit != nil && p.path != "" {
			s.unit.where = p.path + ": " + s.unit.where
		}
	} else {
		s.update, err = p.reader.Next(context.Background())
	}
	if err == nil || p.path == "" || errors.Is(err, io.EOF) {
		return s, err
	}
	var item *ItemError
	if errors.As(err, &item) {
		return s, &ItemError{Where: p.path + ": " + item.Where, Err: item.Err}
	}
	return s, fmt.Errorf("%s: %w", p.path, err)
}

func (p *plainFeed) recorded() swapcast.Feed {
	if p.reader == nil {
		return swapcast.FeedLive
	}
	return p.reader.Feed()
}

func (p *plainFeed) Close() error {
	if p.reader != nil {
		p.reader.Close()
	}
	if p.file != nil {
		return p.file.Close()
	}
	return nil
}

// folderFeed plays the files of a folder one after the other.
type folderFeed struct {
	paths []string
	cur   feedCloser
}

func openFolder(dir string) (*folderFeed, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var keys []fileKey
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".json", ".jsonl", ".ndjson", ".zst", ".capture", ".bin":
			if e.Type().IsRegular() || e.Type()&os.ModeSymlink != 0 {
				keys = append(keys, keyOf(filepath.Join(dir, e.Name())))
			}
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: no file of a kind that can be read", dir)
	}
	slices.SortStableFunc(keys, fileKey.compare) // by name already, as ReadDir gives them
	f := &folderFeed{}
	for _, k := range keys {
		f.paths = append(f.paths, k.path)
	}
	return f, nil
}

// next turns any error of one file into an *ItemError, for the files behind
// it can still be read.
func (f *folderFeed) next() (step, error) {
	for {
		if f.cur == nil {
			if len(f.paths) == 0 {
				return step{}, io.EOF
			}
			path := f.paths[0]
			f.paths = f.paths[1:]
			in, err := openFeed(path)
			if err != nil {
				return step{}, &ItemError{Where: path, Err: trimPath(err, path)}
			}
			f.cur = in
		}
		s, err := f.cur.next()
		var item *ItemError
		if err == nil || errors.As(err, &item) {
			return s, err
		}
		path := f.cur.(*plainFeed).path
		closeErr := f.cur.Close()
		f.cur = nil
		if !errors.Is(err, io.EOF) {
			return step{}, &ItemError{Where: path, Err: trimPath(err, path)}
		}
		if closeErr != nil {
			return step{}, &ItemError{Where: path, Err: closeErr}
		}
	}
}

// trimPath takes off the path that openFeed's errors begin with.
func trimPath(err error, path string) error {
	if inner := errors.Unwrap(err); inner != nil && strings.HasPrefix(err.Error(), path+": ") {
		return inner
	}
	return err
}

func (f *folderFeed) recorded() swapcast.Feed {
	found := swapcast.FeedLive
	for _, path := range f.paths {
		switch feed := feedOfFile(path); feed {
		case swapcast.FeedLive:
		case swapcast.FeedSimulated:
			return feed
		default:
			found = feed
		}
	}
	return found
}

// feedOfFile reads the header of one file. What cannot be read is reported when
// the file's turn comes.
func feedOfFile(path string) swapcast.Feed {
	f, err := os.Open(path)
	if err != nil {
		return swapcast.FeedLive
	}
	defer f.Close()
	head := make([]byte, headerSize)
	n, _ := io.ReadFull(f, head)
	feed, _ := feedIn(head[:n])
	return feed
}

func (f *folderFeed) Close() error {
	f.paths = nil
	if f.cur == nil {
		return nil
	}
	return f.cur.Close()
}

// fileKey is a file's place in a folder's order. Files without a slot come
// last.
type fileKey struct {
	path  string
	known bool
	slot  uint64
	index uint64
}

func (a fileKey) compare(b fileKey) int {
	switch {
	case a.known != b.known && a.known:
		return -1
	case a.known != b.known:
		return 1
	case a.slot != b.slot && a.slot < b.slot:
		return -1
	case a.slot != b.slot:
		return 1
	case a.index < b.index:
		return -1
	case a.index > b.index:
		return 1
	}
	return 0
}

// keyOf looks at the first item of a file. What cannot be read is reported
// when its turn comes, not here.
func keyOf(path string) fileKey {
	k := fileKey{path: path}
	f, err := os.Open(path)
	if err != nil {
		return k
	}
	defer f.Close()
	src := bufio.NewReaderSize(f, 64<<10)
	form, err := sniff(src)
	switch {
	case err != nil:
	case form == formJSON:
		k.peekJSON(newJSONFeed(src, 0), slotInName(filepath.Base(path)))
	default:
		k.peekCapture(src, form)
	}
	return k
}

func (k *fileKey) peekJSON(f *jsonFeed, hint uint64) {
	f.budget.left = f.limit
	if f.seek() != nil {
		return
	}
	type place struct {
		Slot             *number `json:"slot"`
		ParentSlot       *number `json:"parentSlot"`
		TransactionIndex number  `json:"transactionIndex"`
	}
	var v struct {
		place
		Result *place `json:"result"`
	}
	var mismatch *json.UnmarshalTypeError
	if err := f.dec.Decode(&v); err != nil && !errors.As(err, &mismatch) {
		return
	}
	p := v.place
	if v.Result != nil {
		p = *v.Result
	}
	switch {
	case p.Slot != nil:
		k.slot, k.known = uint64(*p.Slot), true
	case p.ParentSlot != nil:
		k.slot, k.known = blockSlot(uint64(*p.ParentSlot), hint), true
	}
	k.index = uint64(p.TransactionIndex)
}

func (k *fileKey) peekCapture(src *bufio.Reader, form form) {
	r, err := newReader(src, form)
	if err != nil {
		return
	}
	defer r.Close()
	for range 1000 { // pings and the like carry no slot
		u, err := r.Next(context.Background())
		if err != nil {
			return
		}
		if slot, ok := slotOf(u); ok {
			k.slot, k.known = slot, true
			return
		}
	}
}

func slotOf(u *pb.SubscribeUpdate) (uint64, bool) {
	switch v := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Slot:
		return v.Slot.GetSlot(), true
	case *pb.SubscribeUpdate_Transaction:
		return v.Transaction.GetSlot(), true
	case *pb.SubscribeUpdate_BlockMeta:
		return v.BlockMeta.GetSlot(), true
	case *pb.SubscribeUpdate_Entry:
		return v.Entry.GetSlot(), true
	case *pb.SubscribeUpdate_Account:
		return v.Account.GetSlot(), true
	case *pb.SubscribeUpdate_Block:
		return v.Block.GetSlot(), true
	}
	return 0, false
}

// slotInName finds a number that follows "slot" or "block" in a file's name,
// such as 361774429 in slot_361774429.getBlock.json; 0 where there is none.
func slotInName(name string) uint64 {
	name = strings.ToLower(name)
	for _, word := range []string{"slot", "block"} {
		_, rest, ok := strings.Cut(name, word)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, "_-. ")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(rest)
		}
		if n, err := strconv.ParseUint(rest[:end], 10, 64); err == nil {
			return n
		}
	}
	return 0
}
