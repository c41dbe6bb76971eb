package rpctest

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// RecorderOptions bound a Recorder. Zero values are replaced by the defaults.
type RecorderOptions struct {
	MaxBlocks   int   // slots that are kept; default 3,000
	MaxBytes    int64 // of encoded transactions; default 256 MiB
	MaxAccounts int   // balances, token accounts and mints each; default 200,000
}

// Recorder is a Store made from Geyser updates. See the package comment.
type Recorder struct {
	// static after construction
	o RecorderOptions

	// guarded by mu
	mu      sync.Mutex
	slots   []uint64 // of blocks, rising
	blocks  map[uint64]*recorded
	gone    uint64 // highest slot that was let go
	bytes   int64
	newest  [3]uint64 // by commitment
	places  map[solana.Signature]uint64
	state   *chainState
	decoder *geyser.Decoder
	tx      swapcast.Transaction // scratch
}

// recorded is what is known of one slot.
type recorded struct {
	versions  map[uint64]*version // by bank, 0 where banks are not told
	confirmed *version            // the one that counts; nil as long as none does
}

// version is one bank of a slot.
type version struct {
	meta   *pb.SubscribeUpdateBlockMeta
	parent uint64
	infos  [][]byte // encoded: a fraction of the decoded size
	// Until it is confirmed: what it changes, and whether it came already.
	pending []*pb.SubscribeUpdateTransactionInfo
	seen    map[solana.Signature]struct{}
}

// NewRecorder makes an empty one.
func NewRecorder(o RecorderOptions) *Recorder {
	setDefault(&o.MaxBlocks, 3_000)
	setDefault(&o.MaxBytes, 256<<20)
	setDefault(&o.MaxAccounts, 200_000)
	return &Recorder{
		o: o, blocks: make(map[uint64]*recorded), places: make(map[solana.Signature]uint64),
		state: newChainState(o.MaxAccounts), decoder: geyser.NewDecoder(),
	}
}

func setDefault[T cmp.Ordered](v *T, def T) {
	var zero T
	if *v <= zero {
		*v = def
	}
}

// Source yields updates in stream order, as geyser/sim and geyser/capture do.
type Source interface {
	Next(ctx context.Context) (*pb.SubscribeUpdate, error)
}

// Tap gives a source that yields what src yields and records it on the way.
func (r *Recorder) Tap(src Source) *Tapped { return &Tapped{src: src, r: r} }

// Tapped is a source that a Recorder listens to.
type Tapped struct {
	src Source
	r   *Recorder
}

// Next yields and records the next update.
func (t *Tapped) Next(ctx context.Context) (*pb.SubscribeUpdate, error) {
	u, err := t.src.Next(ctx)
	if err == nil {
		t.r.Add(u)
	}
	return u, err
}

// Close closes a source that can be closed.
func (t *Tapped) Close() error {
	if c, ok := t.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Add records updates. It keeps parts of them until their slot is confirmed, and
// changes none.
func (r *Recorder) Add(updates ...*pb.SubscribeUpdate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range updates {
		bank := geyser.Bank(u)
		switch u := u.GetUpdateOneof().(type) {
		case *pb.SubscribeUpdate_Transaction:
			r.add(u.Transaction.GetSlot(), bank, u.Transaction.GetTransaction())
		case *pb.SubscribeUpdate_BlockMeta:
			r.meta(bank, u.BlockMeta)
		case *pb.SubscribeUpdate_Block:
			b := u.Block
			r.meta(0, &pb.SubscribeUpdateBlockMeta{
				Slot: b.GetSlot(), Blockhash: b.GetBlockhash(), Rewards: b.GetRewards(), BlockTime: b.GetBlockTime(), BlockHeight: b.GetBlockHeight(),
				ParentSlot: b.GetParentSlot(), ParentBlockhash: b.GetParentBlockhash(), ExecutedTransactionCount: b.GetExecutedTransactionCount(),
			})
			for _, info := range b.GetTransactions() {
				r.add(b.GetSlot(), 0, info)
			}
		case *pb.SubscribeUpdate_Slot:
			r.status(bank, u.Slot)
		}
	}
	r.trim()
}

// at gives a version of a slot, nil where the slot has been let go already or
// another version was confirmed.
func (r *Recorder) at(slot, bank uint64) *version {
	b := r.blocks[slot]
	if b == nil {
		if slot <= r.gone {
			return nil
		}
		b = &recorded{versions: make(map[uint64]*version, 1)}
		r.blocks[slot] = b
		i, _ := slices.BinarySearch(r.slots, slot)
		r.slots = slices.Insert(r.slots, i, slot)
	}
	v := b.versions[bank]
	if v == nil && b.confirmed == nil {
		v = &version{seen: make(map[solana.Signature]struct{})}
		b.versions[bank] = v
	}
	return v
}

func (r *Recorder) meta(bank uint64, m *pb.SubscribeUpdateBlockMeta) {
	if v := r.at(m.GetSlot(), bank); v != nil {
		v.meta = proto.CloneOf(m)
	}
}

func (r *Recorder) add(slot, bank uint64, info *pb.SubscribeUpdateTransactionInfo) {
	v := r.at(slot, bank)
	if v == nil || len(info.GetSignature()) != solana.SignatureLength {
		return
	}
	signature := solana.Signature(info.GetSignature())
	confirmed := v.seen == nil
	if _, twice := v.seen[signature]; twice || confirmed && r.places[signature] == slot {
		return
	}
	encoded, err := proto.Marshal(info)
	if err != nil {
		return
	}
	v.infos = append(v.infos, encoded)
	r.bytes += int64(len(encoded))
	if confirmed {
		r.settle(slot, info)
		return
	}
	v.seen[signature] = struct{}{}
	v.pending = append(v.pending, info)
}

// settle notes what a transaction of the confirmed chain did.
func (r *Recorder) settle(slot uint64, info *pb.SubscribeUpdateTransactionInfo) {
	signature := solana.Signature(info.GetSignature())
	if _, known := r.places[signature]; !known { // a made-up chain may hold one twice
		r.places[signature] = slot
	}
	u := &pb.SubscribeUpdateTransaction{Slot: slot, Transaction: info}
	if r.decoder.Transaction(u, &r.tx) == nil {
		r.state.apply(&r.tx)
	}
}

func (r *Recorder) status(bank uint64, u *pb.SubscribeUpdateSlot) {
	slot := u.GetSlot()
	v := r.at(slot, bank)
	if v == nil {
		return
	}
	if u.Parent != nil {
		v.parent = u.GetParent()
	}
	raise := func(c swapcast.Commitment) {
		for ; ; c-- {
			r.newest[c] = max(r.newest[c], slot)
			if c == swapcast.Processed {
				return
			}
		}
	}
	switch u.GetStatus() {
	case pb.SlotStatus_SLOT_DEAD:
		if b := r.blocks[slot]; b.confirmed != v {
			r.drop(v)
			delete(b.versions, bank)
		}
	case pb.SlotStatus_SLOT_PROCESSED:
		raise(swapcast.Processed)
	case pb.SlotStatus_SLOT_CONFIRMED:
		r.confirm(slot, bank)
		raise(swapcast.Confirmed)
	case pb.SlotStatus_SLOT_FINALIZED:
		r.confirm(slot, bank)
		raise(swapcast.Finalized)
	}
}

// confirm makes a version the one that counts.
func (r *Recorder) confirm(slot, bank uint64) {
	b := r.blocks[slot]
	if b.confirmed != nil {
		return
	}
	for other, v := range b.versions {
		if other != bank {
			r.drop(v)
			delete(b.versions, other)
		}
	}
	v := b.versions[bank]
	b.confirmed = v
	slices.SortStableFunc(v.pending, byIndex)
	for _, info := range v.pending {
		r.settle(slot, info)
	}
	v.pending, v.seen = nil, nil
}

func byIndex(a, b *pb.SubscribeUpdateTransactionInfo) int {
	return cmp.Compare(a.GetIndex(), b.GetIndex())
}

// drop counts off what is let go.
func (r *Recorder) drop(v *version) {
	for _, encoded := range v.infos {
		r.bytes -= int64(len(encoded))
	}
}

// forget lets a slot go.
func (r *Recorder) forget(slot uint64) {
	b := r.blocks[slot]
	for _, v := range b.versions {
		r.drop(v)
	}
	if b.confirmed != nil {
		for _, encoded := range b.confirmed.infos {
			if info := decodeInfo(encoded); info != nil {
				if s := solana.Signature(info.GetSignature()); r.places[s] == slot {
					delete(r.places, s)
				}
			}
		}
	}
	delete(r.blocks, slot)
}

// trim lets the oldest slots go while there is too much.
func (r *Recorder) trim() {
	for len(r.slots) > 1 && (len(r.slots) > r.o.MaxBlocks || r.bytes > r.o.MaxBytes) {
		slot := r.slots[0]
		r.forget(slot)
		r.slots = slices.Delete(r.slots, 0, 1)
		r.gone = slot
	}
}

func decodeInfo(encoded []byte) *pb.SubscribeUpdateTransactionInfo {
	info := &pb.SubscribeUpdateTransactionInfo{}
	if proto.Unmarshal(encoded, info) != nil {
		return nil // it was encoded here
	}
	return info
}

// Slot is the newest slot at a commitment.
func (r *Recorder) Slot(c swapcast.Commitment) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.newest[c]
}

// FirstBlock is the oldest slot that is kept.
func (r *Recorder) FirstBlock() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.slots) == 0 {
		return 0
	}
	return r.slots[0]
}

// Block gives a confirmed block.
func (r *Recorder) Block(slot uint64) *Block {
	r.mu.Lock()
	b := r.blocks[slot]
	if b == nil || b.confirmed == nil {
		r.mu.Unlock()
		return nil
	}
	out := &Block{Meta: b.confirmed.meta}
	if out.Meta == nil {
		out.Meta = &pb.SubscribeUpdateBlockMeta{Slot: slot, ParentSlot: b.confirmed.parent}
	}
	infos := b.confirmed.infos // only ever appended to or replaced
	r.mu.Unlock()
	for _, encoded := range infos {
		if info := decodeInfo(encoded); info != nil {
			out.Infos = append(out.Infos, info)
		}
	}
	slices.SortStableFunc(out.Infos, byIndex)
	return out
}

// Blocks lists confirmed blocks.
func (r *Recorder) Blocks(first, last uint64, limit int) []uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []uint64
	i, _ := slices.BinarySearch(r.slots, first)
	for ; i < len(r.slots) && r.slots[i] <= last && len(out) < limit; i++ {
		if r.blocks[r.slots[i]].confirmed != nil {
			out = append(out, r.slots[i])
		}
	}
	return out
}

// Transaction finds one in a confirmed block.
func (r *Recorder) Transaction(signature solana.Signature) (Located, bool) {
	r.mu.Lock()
	slot, ok := r.places[signature]
	r.mu.Unlock()
	if !ok {
		return Located{}, false
	}
	found := r.search(slot, signature[:], nil, func(info *pb.SubscribeUpdateTransactionInfo) bool {
		return bytes.Equal(info.GetSignature(), signature[:])
	})
	if len(found) == 0 {
		return Located{}, false
	}
	return found[0], true
}

// Mentioning searches all blocks, newest first: it looks at every byte that is
// kept.
func (r *Recorder) Mentioning(key solana.PublicKey) []Located {
	r.mu.Lock()
	slots := slices.Clone(r.slots)
	r.mu.Unlock()
	var out []Located
	for _, slot := range slices.Backward(slots) {
		found := r.search(slot, key[:], []byte(key.String()), func(info *pb.SubscribeUpdateTransactionInfo) bool {
			return named(&Located{Info: info}, key) || owns(info, key.String())
		})
		slices.SortFunc(found, func(a, b Located) int { return cmp.Compare(b.Info.GetIndex(), a.Info.GetIndex()) })
		out = append(out, found...)
	}
	return out
}

// owns reports whether the owner of one of the transaction's token balances is
// the key.
func owns(info *pb.SubscribeUpdateTransactionInfo, key string) bool {
	meta := info.GetMeta()
	for _, rows := range [...][]*pb.TokenBalance{meta.GetPreTokenBalances(), meta.GetPostTokenBalances()} {
		if slices.ContainsFunc(rows, func(b *pb.TokenBalance) bool { return b.GetOwner() == key }) {
			return true
		}
	}
	return false
}

// search gives the transactions of a confirmed slot that pass and whose bytes
// hold one of the two words.
func (r *Recorder) search(slot uint64, raw, text []byte, pass func(*pb.SubscribeUpdateTransactionInfo) bool) []Located {
	r.mu.Lock()
	b := r.blocks[slot]
	if b == nil || b.confirmed == nil {
		r.mu.Unlock()
		return nil
	}
	infos, at := b.confirmed.infos, b.confirmed.meta.GetBlockTime().GetTimestamp()
	r.mu.Unlock()
	var out []Located
	for _, encoded := range infos {
		if !bytes.Contains(encoded, raw) && (text == nil || !bytes.Contains(encoded, text)) {
			continue
		}
		if info := decodeInfo(encoded); info != nil && pass(info) {
			out = append(out, Located{Slot: slot, BlockTime: at, Info: info})
		}
	}
	return out
}

// Account gives an account's state.
func (r *Recorder) Account(key solana.PublicKey) (Account, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.account(key)
}

// TokenAccounts lists the token accounts of an owner, by address.
func (r *Recorder) TokenAccounts(owner solana.PublicKey) []KeyedAccount {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.tokenAccounts(owner)
}

// PutAccount sets an account as it is.
func (r *Recorder) PutAccount(key solana.PublicKey, a Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.put(key, a)
}

// PutMint sets a mint and its metadata. What transactions mint and burn later
// changes its supply.
func (r *Recorder) PutMint(m Mint) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.putMint(m)
}
