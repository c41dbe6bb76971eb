package capture

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

func testKey(b byte) solana.PublicKey {
	var k solana.PublicKey
	for i := range k {
		k[i] = b
	}
	return k
}

// meta is a result for a transaction with n keys.
func meta(n int, more string) string {
	zeros := strings.TrimSuffix(strings.Repeat("0,", n), ",")
	return fmt.Sprintf(`{"err":null,"fee":5000,"preBalances":[%s],"postBalances":[%s],"preTokenBalances":[],"postTokenBalances":[],"logMessages":[]%s}`, zeros, zeros, more)
}

// wireTx makes a signed transaction of the given version, and its JSON in
// every encoding.
func wireTx(t testing.TB, version solana.MessageVersion) (wire []byte, text map[string]string) {
	t.Helper()
	msg := solana.Message{
		Header:          solana.MessageHeader{NumRequiredSignatures: 1, NumReadonlyUnsignedAccounts: 1},
		AccountKeys:     solana.PublicKeySlice{testKey(1), testKey(2), testKey(3)},
		RecentBlockhash: solana.Hash(testKey(9)),
		Instructions: []solana.CompiledInstruction{
			{ProgramIDIndex: 2, Accounts: []uint16{0, 1}, Data: []byte{7, 8, 9}},
			{ProgramIDIndex: 2, Accounts: []uint16{}, Data: []byte{}},
		},
	}
	if _, err := msg.SetVersion(version); err != nil {
		t.Fatal(err)
	}
	extra := ""
	switch version {
	case solana.MessageVersionV0:
		msg.AddressTableLookups = solana.MessageAddressTableLookupSlice{{AccountKey: testKey(4), WritableIndexes: []byte{1}, ReadonlyIndexes: []byte{2}}}
		extra = fmt.Sprintf(`,"addressTableLookups":[{"accountKey":"%s","writableIndexes":[1],"readonlyIndexes":[2]}]`, testKey(4))
	case solana.MessageVersionV1:
		msg.TransactionConfig = solana.TransactionConfig{}.WithPriorityFee(123456789).WithComputeUnitLimit(200_000)
		extra = `,"transactionConfig":{"priorityFee":123456789,"computeUnitLimit":200000,"loadedAccountsDataSizeLimit":null,"heapSize":null}`
	}
	tx := solana.Transaction{Message: msg, Signatures: []solana.Signature{{5, 5}}}
	wire, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	object := fmt.Sprintf(`{"signatures":["%s"],"message":{"header":{"numRequiredSignatures":1,"numReadonlySignedAccounts":0,"numReadonlyUnsignedAccounts":1},
		"accountKeys":["%s","%s","%s"],"recentBlockhash":"%s","instructions":[
		{"programIdIndex":2,"accounts":[0, 1],"data":"%s","stackHeight":null},{"programIdIndex":2,"accounts":[],"data":""}]%s}}`,
		tx.Signatures[0], testKey(1), testKey(2), testKey(3), testKey(9), base58.Encode([]byte{7, 8, 9}), extra)
	return wire, map[string]string{
		"json":   object,
		"base64": fmt.Sprintf(`["%s","base64"]`, base64.StdEncoding.EncodeToString(wire)),
		"base58": fmt.Sprintf(`["%s","base58"]`, base58.Encode(wire)),
		"bare":   fmt.Sprintf(`"%s"`, base58.Encode(wire)),
	}
}

func importText(t testing.TB, text string) ([]*pb.SubscribeUpdate, []*ItemError, error) {
	t.Helper()
	return drain(t, Import(strings.NewReader(text)).Next)
}

// TestVersionsAndEncodings: each message format gives the same update in each
// encoding, and the decoder sees the format.
func TestVersionsAndEncodings(t *testing.T) {
	for _, c := range []struct {
		version solana.MessageVersion
		field   string
		want    swapcast.TxVersion
		keys    int
		loaded  string
	}{
		{solana.MessageVersionLegacy, `"legacy"`, swapcast.TxLegacy, 3, ""},
		{solana.MessageVersionV0, `0`, swapcast.TxV0, 5, fmt.Sprintf(`,"loadedAddresses":{"writable":["%s"],"readonly":["%s"]}`, testKey(5), testKey(6))},
		{solana.MessageVersionV1, `1`, swapcast.TxV1, 3, `,"loadedAddresses":{"writable":[],"readonly":[]}`},
	} {
		wire, texts := wireTx(t, c.version)
		if c.version == solana.MessageVersionV1 && wire[0] != 0x81 {
			t.Fatalf("a v1 transaction begins with %x", wire[0])
		}
		var first *pb.SubscribeUpdate
		for _, encoding := range []string{"base64", "json", "base58", "bare"} {
			text := fmt.Sprintf(`{"jsonrpc":"2.0","result":{"slot":9,"blockTime":1700000000,"version":%s,"meta":%s,"transaction":%s},"id":1}`,
				c.field, meta(c.keys, c.loaded), texts[encoding])
			us, items, err := importText(t, text)
			if err != nil || len(items) != 0 || len(us) != 1 {
				t.Fatalf("v%d %s: %d updates, %v %v", c.want, encoding, len(us), items, err)
			}
			var tx swapcast.Transaction
			if err := geyser.NewDecoder().Transaction(us[0].GetTransaction(), &tx); err != nil {
				t.Fatal(err)
			}
			if tx.Version != c.want || tx.Slot != 9 || len(tx.Keys) != c.keys || len(tx.Instructions) != 2 || tx.InnerKnown || string(tx.Instructions[0].Data) != "\x07\x08\x09" {
				t.Errorf("v%d %s: %+v", c.want, encoding, tx)
			}
			if first == nil {
				first = us[0]
			}
			// Over the wire, where an unknown field is kept or lost.
			a, _ := proto.MarshalOptions{Deterministic: true}.Marshal(first)
			b, _ := proto.MarshalOptions{Deterministic: true}.Marshal(us[0])
			if !bytes.Equal(a, b) {
				t.Errorf("v%d: %s differs from base64:\n%v\n%v", c.want, encoding, us[0], first)
			}
		}
	}
}

// TestContainers: lists, lines, envelopes and what stands between them.
func TestContainers(t *testing.T) {
	_, texts := wireTx(t, solana.MessageVersionLegacy)
	one := func(slot int) string {
		return fmt.Sprintf(`{"slot":%d,"meta":%s,"transaction":%s}`, slot, meta(3, ""), texts["base64"])
	}
	wrapped := `{"jsonrpc":"2.0","id":1,"result":` + one(2) + `}`
	for name, c := range map[string]struct {
		text  string
		slots []uint64
	}{
		"bare":           {one(1), []uint64{1}},
		"wrapped":        {wrapped, []uint64{2}},
		"list":           {"[" + one(1) + ",\n" + wrapped + "]\n", []uint64{1, 2}},
		"lines":          {one(1) + "\n" + wrapped + "\n\n" + one(3) + "\n", []uint64{1, 2, 3}},
		"lists in lines": {"[" + one(1) + "]\n[" + one(2) + "," + one(3) + "]", []uint64{1, 2, 3}},
		"empty list":     {"[]" + one(1), []uint64{1}},
		"mark and space": {"\xef\xbb\xbf \r\n\t" + one(1), []uint64{1}},
	} {
		us, items, err := importText(t, c.text)
		if err != nil || len(items) != 0 {
			t.Errorf("%s: %v %v", name, items, err)
			continue
		}
		var got []uint64
		for _, u := range us {
			got = append(got, u.GetTransaction().GetSlot())
		}
		if fmt.Sprint(got) != fmt.Sprint(c.slots) {
			t.Errorf("%s: slots %v, want %v", name, got, c.slots)
		}
	}
}

// TestItemErrors: what is wrong with one item is told, with its place, and the
// next one comes all the same.
func TestItemErrors(t *testing.T) {
	_, texts := wireTx(t, solana.MessageVersionLegacy)
	good := fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":%s}`, meta(3, ""), texts["json"])
	with := func(old, text string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in the good item", old)
		}
		return strings.Replace(good, old, text, 1)
	}
	long := strings.Repeat("z", 20000)
	for name, c := range map[string]struct{ bad, want string }{
		"null result":      {`{"jsonrpc":"2.0","result":null,"id":1}`, "not found"},
		"node error":       {`{"jsonrpc":"2.0","error":{"code":-32015,"message":"Transaction version (1) is not supported"},"id":1}`, "-32015"},
		"no meta":          {with(`"meta":`, `"mete":`), "meta"},
		"number":           {"17", "cannot unmarshal"},
		"signatures only":  {`{"blockhash":"x","parentSlot":1,"signatures":["a"]}`, "transactionDetails"},
		"accounts only":    {`{"slot":1,"meta":` + meta(3, "") + `,"transaction":{"accountKeys":[],"signatures":[]}}`, "message"},
		"bad version":      {with(`{"slot":1`, `{"slot":1,"version":"v9"`), "version"},
		"bad key":          {with(testKey(2).String(), "0OIl"), "base58"},
		"bad signature":    {with(`"signatures":["`, `"signatures":["1`), "signature"},
		"no signature":     {`{"slot":1,"meta":` + meta(3, "") + `,"transaction":` + strings.Replace(texts["json"], `"signatures":["`+solana.Signature{5, 5}.String()+`"]`, `"signatures":[]`, 1) + `}`, "no signature"},
		"bad data":         {with(base58.Encode([]byte{7, 8, 9}), "0OIl"), "base58"},
		"long data":        {with(base58.Encode([]byte{7, 8, 9}), long), "longer"},
		"long transaction": {fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":["%s","base58"]}`, meta(3, ""), long), "longer"},
		"account index":    {with(`[0, 1]`, `[0, 256]`), "255"},
		"account is text":  {with(`[0, 1]`, `["`+testKey(7).String()+`"]`), "none of the transaction's"},
		"base64+zstd":      {fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":["aa","base64+zstd"]}`, meta(3, "")), "base64+zstd"},
		"no base64":        {fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":["??","base64"]}`, meta(3, "")), "base64"},
		"cut bytes":        {fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":["AQID","base64"]}`, meta(3, "")), "transaction bytes"},
		"odd pair":         {fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":["AQID"]}`, meta(3, "")), "encoding"},
		"balance":          {with(`"preBalances":[0`, `"preBalances":[-1`), "unsigned"},
		"balance overflow": {with(`"preBalances":[0`, `"preBalances":[18446744073709551616`), "unsigned"},
		"loaded key":       {with(`"logMessages":[]`, `"logMessages":[],"loadedAddresses":{"writable":["x"],"readonly":[]}`), "loaded"},
	} {
		t.Run(name, func(t *testing.T) {
			us, items, err := importText(t, good+"\n"+c.bad+"\n"+good)
			if err != nil || len(us) != 2 || len(items) != 1 {
				t.Fatalf("%d updates, %v, %v; want both good ones and one error", len(us), items, err)
			}
			if text := items[0].Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "item 2 (ends at byte ") {
				t.Errorf("error %q, want one with %q that names item 2", text, c.want)
			}
		})
	}
}

// TestImportCut cuts JSON everywhere: whole items come, then ErrCaptureCut.
func TestImportCut(t *testing.T) {
	_, texts := wireTx(t, solana.MessageVersionLegacy)
	one := fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":%s}`, meta(3, ""), texts["base64"])
	text := "[" + one + "," + one + "]"
	for cut := 1; cut < len(text); cut++ {
		us, items, err := importText(t, text[:cut])
		if !errors.Is(err, swapcast.ErrCaptureCut) || len(items) != 0 {
			t.Fatalf("cut at %d: %v %v", cut, items, err)
		}
		want := 0
		if cut > len(one) {
			want = 1
		}
		if cut == len(text)-1 {
			want = 2
		}
		if len(us) != want {
			t.Fatalf("cut at %d: %d updates, want %d", cut, len(us), want)
		}
	}
	for _, bad := range []string{"", "  \n", "{]", "[1 2]", one + "}", "]"} {
		im := Import(strings.NewReader(bad))
		_, _, err := drain(t, im.Next)
		if err == nil {
			t.Errorf("%.20q: no error", bad)
		}
		if _, again := im.Next(t.Context()); again == nil || again.Error() != err.Error() {
			t.Errorf("%.20q: then %v, first %v", bad, again, err)
		}
	}
}

// endless is a JSON text that never ends.
type endless struct{ sent bool }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	if !e.sent {
		e.sent = true
		return copy(p, `{"x":"`), nil
	}
	return len(p), nil
}

func TestImportEndlessValue(t *testing.T) {
	feed := newJSONFeed(&endless{}, 0)
	if feed.limit != maxJSONValue {
		t.Errorf("limit %d", feed.limit)
	}
	feed.limit = 1 << 20 // the real one takes seconds to reach
	im := &Importer{line: &timeline{in: feed}}
	_, _, err := drain(t, im.Next)
	if !errors.Is(err, errValueTooLong) {
		t.Errorf("error %v", err)
	}
}

// TestCorpusBlocks imports both blocks, plain, and compares with the JSON.
func TestCorpusBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		slot         uint64
		transactions int
	}{
		"slot_361774429.getBlock.base64.json": {361774429, 1790},
		"slot_285000037.block.json.json":      {285000037, 557},
	} {
		us, items := openPlain(t, filepath.Join(corpus(t), "blocks", name))
		if len(items) != 0 || len(us) != c.transactions+1 {
			t.Fatalf("%s: %d updates, %v", name, len(us), items)
		}
		var raw struct {
			Result *struct {
				BlockHeight uint64
				Rewards     []struct{ Lamports int64 }
			}
		}
		blob, err := os.ReadFile(filepath.Join(corpus(t), "blocks", name))
		if err != nil || json.Unmarshal(blob, &raw) != nil {
			t.Fatal(err)
		}
		var tx swapcast.Transaction
		d := geyser.NewDecoder()
		votes := 0
		for i, u := range us[:c.transactions] {
			if err := d.Transaction(u.GetTransaction(), &tx); err != nil {
				t.Fatalf("%s: transaction %d: %v", name, i, err)
			}
			if tx.Index != uint64(i) || tx.Slot != c.slot {
				t.Fatalf("%s: transaction %d has slot %d index %d", name, i, tx.Slot, tx.Index)
			}
			if tx.Vote {
				votes++
			}
		}
		m := us[c.transactions].GetBlockMeta()
		if m.GetSlot() != c.slot || m.GetParentSlot() != c.slot-1 || m.GetExecutedTransactionCount() != uint64(c.transactions) || m.GetBlockTime().GetTimestamp() == 0 || m.GetBlockhash() == "" {
			t.Errorf("%s: %v", name, m)
		}
		if raw.Result != nil && (m.GetBlockHeight().GetBlockHeight() != raw.Result.BlockHeight || m.GetRewards().GetRewards()[0].GetLamports() != raw.Result.Rewards[0].Lamports) {
			t.Errorf("%s: %v", name, m)
		}
		t.Logf("%s: %d votes", name, votes)
	}
}

// TestCorpusFolder plays the transactions' folder as a stream: each slot is
// opened and closed once, in rising order, with its transactions within.
func TestCorpusFolder(t *testing.T) {
	f, err := Open(filepath.Join(corpus(t), "tx"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	us, items, err := drain(t, f.Next)
	if err != nil || len(items) != 0 {
		t.Fatal(items, err)
	}
	transactions := checkStream(t, us)
	if transactions != 685 {
		t.Errorf("%d transactions, want 685", transactions)
	}
}

// checkStream checks the order of slots and times, and counts transactions.
func checkStream(t *testing.T, us []*pb.SubscribeUpdate) (transactions int) {
	t.Helper()
	life := []pb.SlotStatus{
		pb.SlotStatus_SLOT_FIRST_SHRED_RECEIVED, pb.SlotStatus_SLOT_CREATED_BANK, pb.SlotStatus_SLOT_COMPLETED,
		pb.SlotStatus_SLOT_PROCESSED, pb.SlotStatus_SLOT_CONFIRMED, pb.SlotStatus_SLOT_FINALIZED,
	}
	var slot uint64
	stage := len(life)
	var last int64
	for i, u := range us {
		if c := u.GetCreatedAt(); c != nil {
			if at := c.AsTime().UnixNano(); at < last {
				t.Fatalf("update %d: time goes back", i)
			} else {
				last = at
			}
		}
		switch v := u.GetUpdateOneof().(type) {
		case *pb.SubscribeUpdate_Slot:
			if stage == len(life) {
				if v.Slot.Slot <= slot {
					t.Fatalf("update %d: slot %d after %d", i, v.Slot.Slot, slot)
				}
				slot, stage = v.Slot.Slot, 0
			}
			if v.Slot.Slot != slot || v.Slot.Status != life[stage] {
				t.Fatalf("update %d: slot %d %v, want slot %d %v", i, v.Slot.Slot, v.Slot.Status, slot, life[stage])
			}
			stage++
		case *pb.SubscribeUpdate_Transaction:
			if transactions++; stage != 2 || v.Transaction.Slot != slot {
				t.Fatalf("update %d: a transaction of slot %d stands within slot %d, stage %d", i, v.Transaction.Slot, slot, stage)
			}
		case *pb.SubscribeUpdate_BlockMeta:
			if stage != 3 || v.BlockMeta.Slot != slot {
				t.Fatalf("update %d: block meta of %d within slot %d, stage %d", i, v.BlockMeta.Slot, slot, stage)
			}
		}
	}
	if stage != len(life) {
		t.Errorf("the last slot ends at stage %d", stage)
	}
	return transactions
}

// TestFolderOrder: slot, then index, then name; unknown slots last; a broken
// file and a foreign one harm nobody.
func TestFolderOrder(t *testing.T) {
	_, texts := wireTx(t, solana.MessageVersionLegacy)
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	item := func(place string) string {
		return fmt.Sprintf(`{%s"meta":%s,"transaction":%s}`, place, meta(3, ""), texts["json"])
	}
	put("a.json", item(`"slot":30,"blockTime":1000,`))
	put("b.json", item(``))
	put("c.json", item(`"slot":20,"blockTime":1000,"transactionIndex":5,`))
	put("d.json", item(`"slot":20,"blockTime":1000,"transactionIndex":4,`))
	put("e.json", `{"jsonrpc":"2.0","result":`+item(`"slot":10,"blockTime":999,`)+`}`)
	put("f.json", `{"slot":15,`)
	put("g.json", `{"blockhash":"h","parentSlot":39,"blockTime":1003,"transactions":[`+item(``)+`,`+item(``)+`]}`)
	put("h.json", "hello")
	put("i.zst", string(written(t, []*pb.SubscribeUpdate{{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: 25, Status: pb.SlotStatus_SLOT_DEAD}}}})))
	put("readme.txt", "not for us")
	put("slot_77.json", `{"blockhash":"h","parentSlot":70,"transactions":[]}`)
	if err := os.Mkdir(filepath.Join(dir, "more.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	us, items, err := drain(t, f.Next)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	var order []string
	for _, u := range us {
		switch v := u.UpdateOneof.(type) {
		case *pb.SubscribeUpdate_Transaction:
			order = append(order, fmt.Sprintf("tx %d/%d", v.Transaction.Slot, v.Transaction.Transaction.Index))
		case *pb.SubscribeUpdate_BlockMeta:
			order = append(order, fmt.Sprintf("meta %d", v.BlockMeta.Slot))
		case *pb.SubscribeUpdate_Slot:
			if v.Slot.Status == pb.SlotStatus_SLOT_DEAD {
				order = append(order, fmt.Sprintf("dead %d", v.Slot.Slot))
			}
		}
	}
	want := "tx 10/0, tx 20/4, tx 20/5, dead 25, tx 30/0, tx 40/0, tx 40/1, meta 40, meta 77, tx 78/0"
	if got := strings.Join(order, ", "); got != want {
		t.Errorf("order\n %s\nwant\n %s", got, want)
	}
	if len(items) != 2 || !strings.Contains(items[0].Error()+items[1].Error(), "f.json") || !strings.Contains(items[0].Error()+items[1].Error(), "h.json") {
		t.Errorf("errors: %v", items)
	}
	for _, it := range items {
		if strings.Count(it.Error(), dir) != 1 {
			t.Errorf("the path stands more than once: %v", it)
		}
		if strings.Contains(it.Where, "f.json") && !errors.Is(it, swapcast.ErrCaptureCut) {
			t.Errorf("a cut file: %v", it)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("an empty folder was opened")
	}
	if _, err := Open(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "h.json")); err == nil || !strings.Contains(err.Error(), "h.json") {
		t.Errorf("a text file: %v", err)
	}
}

func TestOpenStandardInput(t *testing.T) {
	_, texts := wireTx(t, solana.MessageVersionLegacy)
	in := strings.NewReader(fmt.Sprintf(`{"meta":%s,"transaction":%s}`, meta(3, ""), texts["json"]))
	f, err := OpenPlain("-", in)
	if err != nil {
		t.Fatal(err)
	}
	us, _, err := drain(t, f.Next)
	if err != nil || len(us) != 1 || us[0].GetTransaction().GetSlot() != 0 || us[0].CreatedAt != nil {
		t.Errorf("%v %v", us, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	for _, v := range []solana.MessageVersion{solana.MessageVersionLegacy, solana.MessageVersionV0, solana.MessageVersionV1} {
		_, texts := wireTx(f, v)
		for _, text := range texts {
			f.Add([]byte(fmt.Sprintf(`{"slot":1,"meta":%s,"transaction":%s}`, meta(3, ""), text)))
		}
	}
	f.Add([]byte(parsedTransaction(`{"program":"spl-token","programId":"` + solana.TokenProgramID.String() + `","parsed":{"type":"transfer","info":{"amount":"5"}}}`)))
	f.Add([]byte(`{"blockhash":"h","parentSlot":39,"blockTime":1003,"transactions":[]}`))
	d := geyser.NewDecoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		im := Import(bytes.NewReader(b))
		var tx swapcast.Transaction
		for range 1000 {
			u, err := im.Next(t.Context())
			var item *ItemError
			switch {
			case errors.As(err, &item):
				_ = item.Error()
			case err != nil:
				return
			default:
				_ = d.Transaction(u.GetTransaction(), &tx)
			}
		}
	})
}
