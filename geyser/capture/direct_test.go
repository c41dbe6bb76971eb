package capture_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser/parsertest"
)

// TestReadBlock holds the direct face against Import, on a whole block, and goes
// through what a node may say instead.
func TestReadBlock(t *testing.T) {
	file := filepath.Join(parsertest.CorpusDir(t), "blocks", "slot_361774429.getBlock.base64.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if !strings.Contains(text[:200], `"result"`) {
		text = `{"jsonrpc":"2.0","id":1,"result":` + text + `}`
	}
	const slot = 361774429
	block, err := capture.ReadBlock(strings.NewReader(text), slot)
	if err != nil {
		t.Fatal(err)
	}
	parent, err := capture.ReadParent(strings.NewReader(text), slot)
	if err != nil || parent != block.Meta.GetParentSlot() || parent >= slot {
		t.Errorf("parent %d, %v", parent, err)
	}
	in := capture.Import(strings.NewReader(text))
	for i := range block.Len() {
		got, err := block.Transaction(i)
		if err != nil {
			t.Fatal(err)
		}
		u, err := in.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := u.GetTransaction().GetTransaction(); !proto.Equal(got, want) || got.GetIndex() != uint64(i) {
			t.Fatalf("transaction %d differs", i)
		}
	}
	u, err := in.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := u.GetBlockMeta()
	want.Slot = slot
	if !proto.Equal(block.Meta, want) {
		t.Errorf("meta %v, want %v", block.Meta, want)
	}
}

func TestReadAnswers(t *testing.T) {
	readers := map[string]func(string) error{
		"block":        func(s string) error { _, err := capture.ReadBlock(strings.NewReader(s), 10); return err },
		"parent":       func(s string) error { _, err := capture.ReadParent(strings.NewReader(s), 10); return err },
		"transaction":  func(s string) error { _, err := capture.ReadTransaction(strings.NewReader(s)); return err },
		"transactions": func(s string) error { _, _, err := capture.ReadTransactions(strings.NewReader(s)); return err },
	}
	for name, read := range readers {
		var node *capture.NodeError
		if err := read(`{"error":{"code":-32007,"message":"skipped"}}`); !errors.As(err, &node) || node.Code != -32007 || node.Message != "skipped" {
			t.Errorf("%s: an error: %v", name, err)
		}
		if err := read(`{"jsonrpc":"2.0","result":null,"id":1}`); !errors.Is(err, capture.ErrNoResult) {
			t.Errorf("%s: null: %v", name, err)
		}
		for _, bad := range []string{"", "{", "<html>", "[]", `{"result":3}`} {
			if err := read(bad); err == nil || errors.As(err, &node) || errors.Is(err, capture.ErrNoResult) {
				t.Errorf("%s: %q: %v", name, bad, err)
			}
		}
	}
	for name, bad := range map[string]string{
		"a parent above it": `{"result":{"blockhash":"x","parentSlot":10,"transactions":[]}}`,
		"no transactions":   `{"result":{"blockhash":"x","parentSlot":9}}`,
		"a transaction":     `{"result":{"slot":9,"transaction":["","base64"],"meta":{}}}`,
	} {
		if _, err := capture.ReadBlock(strings.NewReader(bad), 10); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if page, next, err := capture.ReadTransactions(strings.NewReader(`{"result":{"data":[],"paginationToken":"5:1"}}`)); err != nil || len(page) != 0 || next != "5:1" {
		t.Errorf("an empty page: %v %q %v", page, next, err)
	}
	var item *capture.ItemError
	_, _, err := capture.ReadTransactions(strings.NewReader(`{"result":{"data":[{"slot":5,"transaction":["AAAA","base64"],"meta":{}}]}}`))
	if !errors.As(err, &item) {
		t.Errorf("a row that cannot be read: %v", err)
	}
}

// FuzzReadAnswers: whatever a node sends, nothing panics.
func FuzzReadAnswers(f *testing.F) {
	f.Add(`{"result":{"blockhash":"x","parentSlot":9,"transactions":[{"transaction":["AAAA","base64"],"meta":{}}]}}`)
	f.Add(`{"result":{"data":[{"slot":5,"transaction":["AAAA","base64"],"meta":{}}],"paginationToken":"1:2"}}`)
	f.Add(`{"error":{"code":-32007}}`)
	f.Fuzz(func(t *testing.T, text string) {
		block, err := capture.ReadBlock(strings.NewReader(text), 10)
		if err == nil {
			for i := range block.Len() {
				_, _ = block.Transaction(i)
			}
		}
		_, _ = capture.ReadParent(strings.NewReader(text), 10)
		_, _ = capture.ReadTransaction(strings.NewReader(text))
		_, _, _ = capture.ReadTransactions(strings.NewReader(text))
	})
}
