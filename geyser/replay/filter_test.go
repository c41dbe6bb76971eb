package replay_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast/geyser/replay"
)

// play plays src to one client and returns what it got, a word an update.
func play(t *testing.T, src []*pb.SubscribeUpdate, r *pb.SubscribeRequest) []string {
	t.Helper()
	_, c := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true})
	got, err := all(open(t, c, r))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, u := range got {
		words = append(words, word(u))
	}
	return words
}

// word names an update and the filters that it matched, such as "tx 5/1 a,b".
func word(u *pb.SubscribeUpdate) string {
	what := ""
	switch m := u.GetUpdateOneof().(type) {
	case *pb.SubscribeUpdate_Transaction:
		what = fmt.Sprintf("tx %d/%d", m.Transaction.GetSlot(), m.Transaction.GetTransaction().GetIndex())
	case *pb.SubscribeUpdate_TransactionStatus:
		what = fmt.Sprintf("status %d/%d", m.TransactionStatus.GetSlot(), m.TransactionStatus.GetIndex())
	case *pb.SubscribeUpdate_Slot:
		what = fmt.Sprintf("slot %d %s", m.Slot.GetSlot(), strings.ToLower(strings.TrimPrefix(m.Slot.GetStatus().String(), "SLOT_")))
	case *pb.SubscribeUpdate_BlockMeta:
		what = fmt.Sprintf("meta %d", m.BlockMeta.GetSlot())
	case *pb.SubscribeUpdate_Block:
		what = fmt.Sprintf("block %d %dt %da %de", m.Block.GetSlot(), len(m.Block.GetTransactions()), len(m.Block.GetAccounts()), len(m.Block.GetEntries()))
	case *pb.SubscribeUpdate_Entry:
		what = fmt.Sprintf("entry %d/%d", m.Entry.GetSlot(), m.Entry.GetIndex())
	case *pb.SubscribeUpdate_Account:
		what = fmt.Sprintf("account %d %d %x", m.Account.GetSlot(), m.Account.GetAccount().GetLamports(), m.Account.GetAccount().GetData())
	case *pb.SubscribeUpdate_Ping:
		what = "ping"
	case *pb.SubscribeUpdate_Pong:
		what = fmt.Sprintf("pong %d", m.Pong.GetId())
	}
	return strings.TrimSpace(what + " " + strings.Join(u.GetFilters(), ","))
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func ptr[T any](v T) *T { return &v }

// txs is the source of the transaction filters' table: one slot of
// transactions that differ in what filters ask for.
func txs() []*pb.SubscribeUpdate {
	vote := txn(5, 1, key(1), key(20))
	vote.GetTransaction().GetTransaction().IsVote = true
	failed := txn(5, 2, key(2), key(30))
	failed.GetTransaction().GetTransaction().Meta.Err = &pb.TransactionError{Err: []byte{8, 0, 0, 0}}
	loaded := txn(5, 3, key(3))
	meta := loaded.GetTransaction().GetTransaction().GetMeta()
	w, r := key(40), key(41)
	meta.LoadedWritableAddresses, meta.LoadedReadonlyAddresses = [][]byte{w[:]}, [][]byte{r[:]}
	balances := txn(5, 4, key(4))
	meta = balances.GetTransaction().GetTransaction().GetMeta()
	row := func(i uint32, owner uint64, amount string) *pb.TokenBalance {
		return &pb.TokenBalance{AccountIndex: i, Owner: key(owner).String(), UiTokenAmount: &pb.UiTokenAmount{Amount: amount}}
	}
	meta.PreTokenBalances = []*pb.TokenBalance{row(1, 50, "7"), row(2, 51, "7"), row(3, 52, "1")}
	meta.PostTokenBalances = []*pb.TokenBalance{row(1, 50, "7"), row(2, 51, "8"), row(4, 53, "1")}
	return []*pb.SubscribeUpdate{vote, failed, loaded, balances}
}

func keys(ns ...uint64) (out []string) {
	for _, n := range ns {
		out = append(out, key(n).String())
	}
	return out
}

func TestTransactionFilters(t *testing.T) {
	type filter = pb.SubscribeRequestFilterTransactions
	tokens := func(f *filter, mode uint64) *filter {
		b := protowire.AppendTag(nil, 30, protowire.VarintType)
		f.ProtoReflect().SetUnknown(protowire.AppendVarint(b, mode))
		return f
	}
	for name, c := range map[string]struct {
		filter *filter
		want   string // indexes of the transactions that match
	}{
		"empty matches all":            {&filter{}, "1 2 3 4"},
		"votes":                        {&filter{Vote: ptr(true)}, "1"},
		"no votes":                     {&filter{Vote: ptr(false)}, "2 3 4"},
		"failed":                       {&filter{Failed: ptr(true)}, "2"},
		"not failed":                   {&filter{Failed: ptr(false)}, "1 3 4"},
		"both":                         {&filter{Failed: ptr(false), Vote: ptr(false)}, "3 4"},
		"signature":                    {&filter{Signature: ptr(signature(5, 3).String())}, "3"},
		"signature of another":         {&filter{Signature: ptr(signature(6, 3).String())}, ""},
		"include one":                  {&filter{AccountInclude: keys(20)}, "1"},
		"include any of":               {&filter{AccountInclude: keys(20, 30, 99)}, "1 2"},
		"include a loaded writable":    {&filter{AccountInclude: keys(40)}, "3"},
		"include a loaded read-only":   {&filter{AccountInclude: keys(41)}, "3"},
		"exclude":                      {&filter{AccountExclude: keys(20, 41)}, "2 4"},
		"exclude what is not there":    {&filter{AccountExclude: keys(99)}, "1 2 3 4"},
		"required all":                 {&filter{AccountRequired: keys(3, 40, 41)}, "3"},
		"required one missing":         {&filter{AccountRequired: keys(3, 40, 20)}, ""},
		"include and exclude":          {&filter{AccountInclude: keys(20, 30), AccountExclude: keys(2)}, "1"},
		"include and required":         {&filter{AccountInclude: keys(20, 30), AccountRequired: keys(2)}, "2"},
		"all conditions":               {&filter{Vote: ptr(false), Failed: ptr(true), AccountInclude: keys(30), AccountExclude: keys(1), AccountRequired: keys(2)}, "2"},
		"owner is no key":              {&filter{AccountInclude: keys(50)}, ""},
		"token owner":                  {tokens(&filter{AccountInclude: keys(50)}, 0), "4"},
		"token owner before only":      {tokens(&filter{AccountInclude: keys(52)}, 0), "4"},
		"token owner required":         {tokens(&filter{AccountRequired: keys(4, 51, 53)}, 0), "4"},
		"token owner excluded":         {tokens(&filter{AccountExclude: keys(53)}, 0), "1 2 3"},
		"balance not changed":          {tokens(&filter{AccountInclude: keys(50)}, 1), ""},
		"balance changed":              {tokens(&filter{AccountInclude: keys(51)}, 1), "4"},
		"token account closed":         {tokens(&filter{AccountInclude: keys(52)}, 1), "4"},
		"token account opened":         {tokens(&filter{AccountInclude: keys(53)}, 1), "4"},
		"token mode still takes keys":  {tokens(&filter{AccountInclude: keys(20)}, 1), "1"},
		"token mode without any lists": {tokens(&filter{}, 1), "1 2 3 4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var full, status []string
			for _, i := range strings.Fields(c.want) {
				full = append(full, "tx 5/"+i+" f")
				status = append(status, "status 5/"+i+" f")
			}
			filters := map[string]*filter{"f": c.filter}
			same(t, play(t, txs(), &pb.SubscribeRequest{Transactions: filters}), full...)
			same(t, play(t, txs(), &pb.SubscribeRequest{TransactionsStatus: filters}), status...)
		})
	}
}

func TestSeveralFiltersNameTheirUpdate(t *testing.T) {
	type filter = pb.SubscribeRequestFilterTransactions
	same(t, play(t, txs(), &pb.SubscribeRequest{
		Transactions:       map[string]*filter{"b": {AccountInclude: keys(20)}, "a": {Vote: ptr(true)}, "c": {Failed: ptr(true)}},
		TransactionsStatus: map[string]*filter{"s": {Failed: ptr(true)}},
	}), "tx 5/1 a,b", "tx 5/2 c", "status 5/2 s")
}

func TestTransactionStatusIsThatOfTheTransaction(t *testing.T) {
	src := txs()
	_, c := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true})
	got, err := all(open(t, c, &pb.SubscribeRequest{
		TransactionsStatus: map[string]*pb.SubscribeRequestFilterTransactions{"s": {}},
	}))
	if err != nil || len(got) != len(src) {
		t.Fatalf("%d updates, %v", len(got), err)
	}
	for i, u := range got {
		info := src[i].GetTransaction().GetTransaction()
		want := &pb.SubscribeUpdateTransactionStatus{
			Slot: 5, Signature: info.GetSignature(), IsVote: info.GetIsVote(), Index: info.GetIndex(), Err: info.GetMeta().GetErr(),
		}
		if !proto.Equal(u.GetTransactionStatus(), want) {
			t.Errorf("got %v, want %v", u.GetTransactionStatus(), want)
		}
	}
}

// A source may have been recorded with transactions_status only.
func TestSourceWithStatusesOnly(t *testing.T) {
	sig := signature(9, 0)
	src := []*pb.SubscribeUpdate{{UpdateOneof: &pb.SubscribeUpdate_TransactionStatus{
		TransactionStatus: &pb.SubscribeUpdateTransactionStatus{Slot: 9, Signature: sig[:], Err: &pb.TransactionError{}},
	}}}
	type filter = pb.SubscribeRequestFilterTransactions
	same(t, play(t, src, &pb.SubscribeRequest{
		Transactions: map[string]*filter{"t": {}},
		TransactionsStatus: map[string]*filter{
			"all": {}, "failed": {Failed: ptr(true)}, "ok": {Failed: ptr(false)}, "accounts": {AccountInclude: keys(1)},
		},
	}), "status 9/0 all,failed")
}

func TestSlotFilters(t *testing.T) {
	src := []*pb.SubscribeUpdate{
		slot(5, pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED), slot(5, pb.SlotStatus_SLOT_CREATED_BANK),
		slot(5, pb.SlotStatus_SLOT_COMPLETED), slot(5, pb.SlotStatus_SLOT_PROCESSED),
		slot(5, pb.SlotStatus_SLOT_CONFIRMED), slot(5, pb.SlotStatus_SLOT_FINALIZED), slot(6, pb.SlotStatus_SLOT_DEAD),
	}
	type filter = pb.SubscribeRequestFilterSlots
	for name, c := range map[string]struct {
		filter     *filter
		commitment pb.CommitmentLevel
		want       []string
	}{
		"empty":                    {&filter{}, 0, []string{"slot 5 processed f", "slot 5 confirmed f", "slot 5 finalized f"}},
		"empty at confirmed":       {&filter{}, 1, []string{"slot 5 processed f", "slot 5 confirmed f", "slot 5 finalized f"}},
		"by commitment processed":  {&filter{FilterByCommitment: ptr(true)}, 0, []string{"slot 5 processed f"}},
		"by commitment confirmed":  {&filter{FilterByCommitment: ptr(true)}, 1, []string{"slot 5 confirmed f"}},
		"by commitment finalized":  {&filter{FilterByCommitment: ptr(true)}, 2, []string{"slot 5 finalized f"}},
		"by commitment, interslot": {&filter{FilterByCommitment: ptr(true), InterslotUpdates: ptr(true)}, 1, []string{"slot 5 confirmed f"}},
		"not by commitment, said":  {&filter{FilterByCommitment: ptr(false)}, 2, []string{"slot 5 processed f", "slot 5 confirmed f", "slot 5 finalized f"}},
		"interslot": {&filter{InterslotUpdates: ptr(true)}, 0, []string{
			"slot 5 first_shred_received f", "slot 5 created_bank f", "slot 5 completed f", "slot 5 processed f",
			"slot 5 confirmed f", "slot 5 finalized f", "slot 6 dead f",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, play(t, src, &pb.SubscribeRequest{
				Slots: map[string]*filter{"f": c.filter}, Commitment: &c.commitment,
			}), c.want...)
		})
	}
}

func TestBlockMetaAndEntryFilters(t *testing.T) {
	src := []*pb.SubscribeUpdate{entry(5, 0), blockMeta(5, 0)}
	same(t, play(t, src, &pb.SubscribeRequest{
		BlocksMeta: map[string]*pb.SubscribeRequestFilterBlocksMeta{"m": {}, "n": {}},
	}), "meta 5 m,n")
	same(t, play(t, src, &pb.SubscribeRequest{
		Entry: map[string]*pb.SubscribeRequestFilterEntry{"e": {}},
	}), "entry 5/0 e")
	same(t, play(t, src, &pb.SubscribeRequest{})) // nothing asked, nothing sent
}

func entry(slot, index uint64) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Entry{
		Entry: &pb.SubscribeUpdateEntry{Slot: slot, Index: index, Hash: make([]byte, 32)},
	}}
}

// account makes an account update; data that is nil is 0102...08.
func account(slot, pubkey, owner, lamports uint64, data []byte) *pb.SubscribeUpdate {
	k, o := key(pubkey), key(owner)
	if data == nil {
		data = []byte{1, 2, 3, 4, 5, 6, 7, 8}
	}
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Account{Account: &pb.SubscribeUpdateAccount{
		Slot: slot, Account: &pb.SubscribeUpdateAccountInfo{Pubkey: k[:], Owner: o[:], Lamports: lamports, Data: data},
	}}}
}

func TestAccountFilters(t *testing.T) {
	token := make([]byte, 165)
	token[108] = 1
	extended := append(slices.Clone(token), 2, 0, 0)
	mint := append(slices.Clone(token), 1, 0, 0)
	signed := account(5, 6, 7, 600, []byte{9})
	signed.GetAccount().GetAccount().TxnSignature = make([]byte, 64)
	src := []*pb.SubscribeUpdate{
		account(5, 1, 7, 100, nil), account(5, 2, 8, 200, nil), account(5, 3, 8, 300, token),
		account(5, 4, 8, 400, extended), account(5, 5, 8, 500, mint), signed,
	}
	type filter = pb.SubscribeRequestFilterAccounts
	type cond = pb.SubscribeRequestFilterAccountsFilter
	memcmp := func(offset uint64, data any) *cond {
		m := &pb.SubscribeRequestFilterAccountsFilterMemcmp{Offset: offset}
		switch d := data.(type) {
		case []byte:
			m.Data = &pb.SubscribeRequestFilterAccountsFilterMemcmp_Bytes{Bytes: d}
		case base58Text:
			m.Data = &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base58{Base58: string(d)}
		case string:
			m.Data = &pb.SubscribeRequestFilterAccountsFilterMemcmp_Base64{Base64: d}
		}
		return &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Memcmp{Memcmp: m}}
	}
	size := func(n uint64) *cond {
		return &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Datasize{Datasize: n}}
	}
	lamports := func(c *pb.SubscribeRequestFilterAccountsFilterLamports) *cond {
		return &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_Lamports{Lamports: c}}
	}
	type lam = pb.SubscribeRequestFilterAccountsFilterLamports
	isToken := &cond{Filter: &pb.SubscribeRequestFilterAccountsFilter_TokenAccountState{TokenAccountState: true}}
	for name, c := range map[string]struct {
		filter *filter
		want   string // lamports in hundreds of those that match
	}{
		"empty":                 {&filter{}, "1 2 3 4 5 6"},
		"account":               {&filter{Account: keys(1, 3)}, "1 3"},
		"owner":                 {&filter{Owner: keys(7)}, "1 6"},
		"account and owner":     {&filter{Account: keys(1, 3), Owner: keys(7)}, "1"},
		"has a signature":       {&filter{NonemptyTxnSignature: ptr(true)}, "6"},
		"has none":              {&filter{NonemptyTxnSignature: ptr(false)}, "1 2 3 4 5"},
		"memcmp bytes":          {&filter{Filters: []*cond{memcmp(2, []byte{3, 4})}}, "1 2"},
		"memcmp base58":         {&filter{Filters: []*cond{memcmp(2, base58Text(base58.Encode([]byte{3, 4})))}}, "1 2"},
		"memcmp base64":         {&filter{Filters: []*cond{memcmp(2, base64.StdEncoding.EncodeToString([]byte{3, 4}))}}, "1 2"},
		"memcmp at the end":     {&filter{Filters: []*cond{memcmp(7, []byte{8})}}, "1 2"},
		"memcmp beyond the end": {&filter{Filters: []*cond{memcmp(7, []byte{8, 0})}}, ""},
		"memcmp far beyond":     {&filter{Filters: []*cond{memcmp(1<<63, []byte{8})}}, ""},
		"memcmp of nothing":     {&filter{Filters: []*cond{memcmp(8, []byte{})}}, "1 2 3 4 5"},
		"datasize":              {&filter{Filters: []*cond{size(165)}}, "3"},
		"token account":         {&filter{Filters: []*cond{isToken}}, "3 4"},
		"lamports eq":           {&filter{Filters: []*cond{lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Eq{Eq: 200}})}}, "2"},
		"lamports ne":           {&filter{Filters: []*cond{lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Ne{Ne: 200}})}}, "1 3 4 5 6"},
		"lamports lt":           {&filter{Filters: []*cond{lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Lt{Lt: 200}})}}, "1"},
		"lamports gt":           {&filter{Filters: []*cond{lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Gt{Gt: 500}})}}, "6"},
		"a range of lamports": {&filter{Filters: []*cond{
			lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Gt{Gt: 100}}),
			lamports(&lam{Cmp: &pb.SubscribeRequestFilterAccountsFilterLamports_Lt{Lt: 400}}),
		}}, "2 3"},
		"all of several": {&filter{Owner: keys(8), Filters: []*cond{isToken, size(168)}}, "4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true})
			got, err := all(open(t, client, &pb.SubscribeRequest{Accounts: map[string]*filter{"f": c.filter}}))
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, u := range got {
				found = append(found, fmt.Sprint(u.GetAccount().GetAccount().GetLamports()/100))
			}
			same(t, found, strings.Fields(c.want)...)
		})
	}
}

type base58Text string

func TestAccountsDataSlice(t *testing.T) {
	type slice = pb.SubscribeRequestAccountsDataSlice
	src := []*pb.SubscribeUpdate{account(5, 1, 7, 100, nil), blockMeta(5, 0)}
	for name, c := range map[string]struct {
		slices []*slice
		want   string
	}{
		"none":                     {nil, "0102030405060708"},
		"one":                      {[]*slice{{Offset: 2, Length: 3}}, "030405"},
		"two":                      {[]*slice{{Offset: 0, Length: 1}, {Offset: 4, Length: 2}}, "010506"},
		"to the end":               {[]*slice{{Offset: 6, Length: 2}}, "0708"},
		"beyond the end":           {[]*slice{{Offset: 0, Length: 1}, {Offset: 6, Length: 3}}, "01"},
		"of length nothing at all": {[]*slice{{Offset: 3, Length: 0}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, play(t, src, &pb.SubscribeRequest{
				Accounts:          map[string]*pb.SubscribeRequestFilterAccounts{"f": {}},
				AccountsDataSlice: c.slices,
			}), "account 5 100 "+c.want+" f")
			_, client := serve(t, replay.Options{Source: &list{updates: src}, WaitForClient: true, EndWithSource: true})
			got, err := all(open(t, client, &pb.SubscribeRequest{
				Blocks:            map[string]*pb.SubscribeRequestFilterBlocks{"f": {IncludeAccounts: ptr(true)}},
				AccountsDataSlice: c.slices,
			}))
			if err != nil || len(got) != 1 || len(got[0].GetBlock().GetAccounts()) != 1 {
				t.Fatalf("got %v, %v", got, err)
			}
			if data := fmt.Sprintf("%x", got[0].GetBlock().GetAccounts()[0].GetData()); data != c.want {
				t.Errorf("in the block: %s, want %s", data, c.want)
			}
		})
	}
}

func TestBlockFilters(t *testing.T) {
	src := []*pb.SubscribeUpdate{
		txn(5, 0, key(1)), account(5, 50, 7, 1, nil), txn(5, 1, key(2)), entry(5, 0), txn(5, 2, key(2), key(3)),
		account(5, 51, 7, 1, nil), blockMeta(5, 3), slot(5, pb.SlotStatus_SLOT_PROCESSED),
		txn(6, 0, key(1)), blockMeta(6, 2), txn(6, 1, key(9)), // the meta before the last transaction
		txn(7, 0, key(1)), blockMeta(7, 2), slot(7, pb.SlotStatus_SLOT_PROCESSED), // one is missing
	}
	type filter = pb.SubscribeRequestFilterBlocks
	for name, c := range map[string]struct {
		filter *filter
		want   []string
	}{
		"transactions unless said otherwise": {&filter{}, []string{"block 5 3t 0a 0e f", "block 6 2t 0a 0e f"}},
		"no transactions":                    {&filter{IncludeTransactions: ptr(false)}, []string{"block 5 0t 0a 0e f", "block 6 0t 0a 0e f"}},
		"accounts":                           {&filter{IncludeAccounts: ptr(true)}, []string{"block 5 3t 2a 0e f", "block 6 2t 0a 0e f"}},
		"entries":                            {&filter{IncludeEntries: ptr(true)}, []string{"block 5 3t 0a 1e f", "block 6 2t 0a 0e f"}},
		"accounts of interest": {
			&filter{AccountInclude: keys(2, 51), IncludeAccounts: ptr(true)},
			[]string{"block 5 2t 1a 0e f", "block 6 0t 0a 0e f"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			same(t, play(t, src, &pb.SubscribeRequest{Blocks: map[string]*filter{"f": c.filter}}), c.want...)
		})
	}
	t.Run("each filter has its own block", func(t *testing.T) {
		same(t, play(t, src[:8], &pb.SubscribeRequest{
			Blocks: map[string]*filter{"a": {AccountInclude: keys(1)}, "b": {AccountInclude: keys(2)}},
		}), "block 5 1t 0a 0e a", "block 5 2t 0a 0e b")
	})
}

// A block is the same whether it was put together here or recorded whole.
func TestBlockOfParts(t *testing.T) {
	parts := []*pb.SubscribeUpdate{txn(5, 1, key(2)), txn(5, 0, key(1)), entry(5, 0), account(5, 50, 7, 1, nil), blockMeta(5, 2)}
	request := func() *pb.SubscribeRequest {
		r := everything()
		r.Blocks = map[string]*pb.SubscribeRequestFilterBlocks{"b": {IncludeAccounts: ptr(true), IncludeEntries: ptr(true)}}
		return r
	}
	_, c := serve(t, replay.Options{Source: &list{updates: parts}, WaitForClient: true, EndWithSource: true})
	got, err := all(open(t, c, request()))
	if err != nil || len(got) != 4 {
		t.Fatalf("%d updates, %v", len(got), err)
	}
	block := got[3].GetBlock()
	meta := parts[4].GetBlockMeta()
	want := &pb.SubscribeUpdateBlock{
		Slot: 5, Blockhash: meta.GetBlockhash(), BlockTime: meta.GetBlockTime(), BlockHeight: meta.GetBlockHeight(),
		ParentSlot: 4, ParentBlockhash: meta.GetParentBlockhash(), ExecutedTransactionCount: 2,
		Transactions: []*pb.SubscribeUpdateTransactionInfo{parts[1].GetTransaction().GetTransaction(), parts[0].GetTransaction().GetTransaction()},
		Accounts:     []*pb.SubscribeUpdateAccountInfo{parts[3].GetAccount().GetAccount()}, UpdatedAccountCount: 1,
		Entries: []*pb.SubscribeUpdateEntry{parts[2].GetEntry()}, EntriesCount: 1,
	}
	if !proto.Equal(block, want) {
		t.Fatalf("got %v\nwant %v", block, want)
	}
	// Recorded whole, it is taken apart for other filters.
	same(t, play(t, []*pb.SubscribeUpdate{{UpdateOneof: &pb.SubscribeUpdate_Block{Block: want}}}, request()),
		"tx 5/0 t", "tx 5/1 t", "meta 5 m", "block 5 2t 1a 1e b")
	// And once only where the parts were recorded beside it.
	same(t, play(t, append(slices.Clone(parts), &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Block{Block: want}}), request()),
		"tx 5/1 t", "tx 5/0 t", "meta 5 m", "block 5 2t 1a 1e b")
}

// What goes out is byte for byte what the source had.
func TestTransactionsPassUnchanged(t *testing.T) {
	tx := txs()[3]
	tx.GetTransaction().GetTransaction().GetTransaction().GetMessage().ProtoReflect().SetUnknown(
		protowire.AppendVarint(protowire.AppendTag(nil, 7, protowire.VarintType), 1)) // a field of newer protos
	_, c := serve(t, replay.Options{Source: &list{updates: []*pb.SubscribeUpdate{tx}}, WaitForClient: true, EndWithSource: true})
	got, err := all(open(t, c, everything()))
	if err != nil || len(got) != 1 || !proto.Equal(got[0].GetTransaction(), tx.GetTransaction()) {
		t.Fatalf("got %v, %v", got, err)
	}
}
