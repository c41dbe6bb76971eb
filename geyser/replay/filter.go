package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// filterSet is one SubscribeRequest made ready for matching. It never changes.
type filterSet struct {
	level    level
	txs      []txFilter
	statuses []txFilter
	slots    []slotFilter
	accounts []accountFilter
	blocks   []blockFilter
	metas    []string // names
	entries  []string
	slices   []dataSlice
}

type slotFilter struct {
	name         string
	byCommitment bool
	interslot    bool
}

type blockFilter struct {
	name         string
	include      *keySet
	transactions bool
	accounts     bool
	entries      bool
}

// compile checks a request and makes its filterSet. Its errors are statuses:
// INVALID_ARGUMENT as the real server words it, UNIMPLEMENTED for what the
// request asks and this server does not know.
func compile(r *pb.SubscribeRequest) (*filterSet, error) {
	if err := refuseUnknown(r); err != nil {
		return nil, status.Error(codes.Unimplemented, err.Error())
	}
	f, err := newFilterSet(r)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "failed to create filter: %v", err)
	}
	return f, nil
}

func newFilterSet(r *pb.SubscribeRequest) (*filterSet, error) {
	f := &filterSet{}
	var err error
	if f.level, err = levelOf(r.GetCommitment()); err != nil {
		return nil, err
	}
	if f.txs, err = txFilters(r.GetTransactions()); err != nil {
		return nil, err
	}
	if f.statuses, err = txFilters(r.GetTransactionsStatus()); err != nil {
		return nil, err
	}
	if f.accounts, err = accountFilters(r.GetAccounts()); err != nil {
		return nil, err
	}
	if f.slices, err = dataSlices(r.GetAccountsDataSlice()); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetSlots())) {
		if err := checkName(name); err != nil {
			return nil, err
		}
		s := r.GetSlots()[name]
		f.slots = append(f.slots, slotFilter{name, s.GetFilterByCommitment(), s.GetInterslotUpdates()})
	}
	for _, name := range slices.Sorted(maps.Keys(r.GetBlocks())) {
		b, err := newBlockFilter(name, r.GetBlocks()[name])
		if err != nil {
			return nil, err
		}
		f.blocks = append(f.blocks, b)
	}
	if f.metas, err = names(r.GetBlocksMeta()); err != nil {
		return nil, err
	}
	f.entries, err = names(r.GetEntry())
	return f, err
}

func levelOf(c pb.CommitmentLevel) (level, error) {
	switch c {
	case pb.CommitmentLevel_PROCESSED, pb.CommitmentLevel_CONFIRMED, pb.CommitmentLevel_FINALIZED:
		return level(c), nil
	default:
		return 0, fmt.Errorf("failed to create CommitmentLevel from %d", c)
	}
}

func names[V any](m map[string]V) ([]string, error) {
	list := slices.Sorted(maps.Keys(m))
	for _, name := range list {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func checkName(name string) error {
	if len(name) > MaxFilterName {
		return fmt.Errorf("oversized filter name (max allowed size %d), found %d", MaxFilterName, len(name))
	}
	return nil
}

// newBlockFilter reads one blocks filter. Transactions are included unless the
// filter says no, as with the real server.
func newBlockFilter(name string, b *pb.SubscribeRequestFilterBlocks) (blockFilter, error) {
	if err := checkName(name); err != nil {
		return blockFilter{}, err
	}
	include, err := newKeySet(b.GetAccountInclude())
	if err != nil {
		return blockFilter{}, err
	}
	return blockFilter{
		name: name, include: include,
		transactions: b == nil || b.IncludeTransactions == nil || b.GetIncludeTransactions(),
		accounts:     b.GetIncludeAccounts(),
		entries:      b.GetIncludeEntries(),
	}, nil
}

// dataSlice is a range of account data, end not included.
type dataSlice struct{ start, end uint64 }

func dataSlices(list []*pb.SubscribeRequestAccountsDataSlice) ([]dataSlice, error) {
	var out []dataSlice
	for _, s := range list {
		d := dataSlice{s.GetOffset(), s.GetOffset() + s.GetLength()}
		if d.end < d.start {
			return nil, errors.New("data slice reaches beyond 2^64")
		}
		if n := len(out); n > 0 {
			if d.start < out[n-1].start {
				return nil, errors.New("data slices out of order")
			}
			if d.start < out[n-1].end {
				return nil, errors.New("data slices overlapped")
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// matcher holds what matching one update after another can reuse. It belongs
// to one subscriber's writing goroutine.
type matcher struct {
	names  []string
	msg    Message
	counts [kinds]uint64 // messages sent, by kind, since the metrics last took them
}

// each calls send for every message that u makes under f: none where nothing
// matches, two where a transaction matches filters of both kinds, one a filter
// for blocks, whose contents differ.
func (f *filterSet) each(u *update, m *matcher, send func(*Message) error) error {
	m.names = m.names[:0]
	body := u.body
	switch u.kind {
	case kindTx:
		for i := range f.txs {
			if f.txs[i].match(u.tx) {
				m.names = append(m.names, f.txs[i].name)
			}
		}
		if err := m.send(u, u.kind, body, send); err != nil {
			return err
		}
		return f.eachStatus(u, m, send)
	case kindTxStatus:
		return f.eachStatus(u, m, send)
	case kindSlot:
		for _, s := range f.slots {
			if s.match(u.status, f.level) {
				m.names = append(m.names, s.name)
			}
		}
	case kindBlockMeta:
		m.names = append(m.names, f.metas...)
	case kindEntry:
		m.names = append(m.names, f.entries...)
	case kindAccount:
		for i := range f.accounts {
			if f.accounts[i].match(u.account.GetAccount()) {
				m.names = append(m.names, f.accounts[i].name)
			}
		}
		if len(m.names) > 0 && len(f.slices) > 0 {
			var err error
			if body, err = slicedAccount(u, f.slices); err != nil {
				return err
			}
		}
	case kindBlock:
		return f.eachBlock(u, m, send)
	default:
	}
	return m.send(u, u.kind, body, send)
}

func (f *filterSet) eachStatus(u *update, m *matcher, send func(*Message) error) error {
	m.names = m.names[:0]
	for i := range f.statuses {
		if f.statuses[i].match(u.tx) {
			m.names = append(m.names, f.statuses[i].name)
		}
	}
	if len(m.names) == 0 {
		return nil
	}
	return m.send(u, kindTxStatus, u.statusOf(), send)
}

func (f *filterSet) eachBlock(u *update, m *matcher, send func(*Message) error) error {
	for i := range f.blocks {
		body, err := u.block.encode(&f.blocks[i], f.slices)
		if err != nil {
			return status.Errorf(codes.Internal, "encode block of slot %d: %v", u.slot, err)
		}
		m.names = append(m.names[:0], f.blocks[i].name)
		if err := m.send(u, u.kind, body, send); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) send(u *update, k kind, body []byte, send func(*Message) error) error {
	if len(m.names) == 0 {
		return nil
	}
	m.counts[k]++
	m.msg = Message{Slot: u.slot, Filters: m.names, Body: body, kind: k}
	return send(&m.msg)
}

func (s slotFilter) match(st pb.SlotStatus, l level) bool {
	switch st {
	case pb.SlotStatus_SLOT_PROCESSED, pb.SlotStatus_SLOT_CONFIRMED, pb.SlotStatus_SLOT_FINALIZED:
		return !s.byCommitment || level(st) == l // the first three statuses have the levels' numbers
	default:
		return s.interslot && !s.byCommitment
	}
}
