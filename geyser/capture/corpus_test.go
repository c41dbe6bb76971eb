package capture

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
)

// corpus gives the folder of real transactions, or skips the test; in CI its
// absence is a failure.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SWAPCAST_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("corpus: %v", err)
		}
		t.Skipf("corpus not there: %v", err)
	}
	return dir
}

// drain reads everything, item errors apart.
func drain(t testing.TB, next func(context.Context) (*pb.SubscribeUpdate, error)) (out []*pb.SubscribeUpdate, items []*ItemError, last error) {
	t.Helper()
	for {
		u, err := next(context.Background())
		var item *ItemError
		switch {
		case err == nil:
			out = append(out, u)
		case errors.As(err, &item):
			items = append(items, item)
		case errors.Is(err, io.EOF):
			return out, items, nil
		default:
			return out, items, err
		}
	}
}

func openPlain(t testing.TB, path string) (out []*pb.SubscribeUpdate, items []*ItemError) {
	t.Helper()
	f, err := OpenPlain(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, items, err = drain(t, f.Next)
	if err != nil {
		t.Fatal(err)
	}
	return out, items
}

// rawTx is the JSON read a second time, by other code, to compare with.
type rawTx struct {
	Slot *uint64 `json:"slot"`
	Meta struct {
		Err               any   `json:"err"`
		Fee               any   `json:"fee"` // text in one file
		PreBalances       []any `json:"preBalances"`
		PostBalances      []any `json:"postBalances"`
		InnerInstructions []struct {
			Instructions []struct {
				StackHeight *int   `json:"stackHeight"`
				Data        string `json:"data"`
			} `json:"instructions"`
		} `json:"innerInstructions"`
		PreTokenBalances  []any    `json:"preTokenBalances"`
		PostTokenBalances []any    `json:"postTokenBalances"`
		LogMessages       []string `json:"logMessages"`
		LoadedAddresses   struct {
			Writable []string `json:"writable"`
			Readonly []string `json:"readonly"`
		} `json:"loadedAddresses"`
	} `json:"meta"`
	Transaction json.RawMessage `json:"transaction"`
	Version     any             `json:"version"`
}

// outer counts keys and outer instructions, from the bytes or from the JSON.
func (r *rawTx) outer(t *testing.T) (keys, instructions int) {
	var pair []string
	if json.Unmarshal(r.Transaction, &pair) == nil {
		b, err := base64.StdEncoding.DecodeString(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		tx, err := solana.TransactionFromBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return len(tx.Message.AccountKeys) + len(r.Meta.LoadedAddresses.Writable) + len(r.Meta.LoadedAddresses.Readonly), len(tx.Message.Instructions)
	}
	var o struct {
		Message struct {
			AccountKeys  []any `json:"accountKeys"`
			Instructions []any `json:"instructions"`
		} `json:"message"`
	}
	if err := json.Unmarshal(r.Transaction, &o); err != nil {
		t.Fatal(err)
	}
	keys = len(o.Message.AccountKeys)
	if _, bare := o.Message.AccountKeys[0].(string); bare {
		keys += len(r.Meta.LoadedAddresses.Writable) + len(r.Meta.LoadedAddresses.Readonly)
	}
	return keys, len(o.Message.Instructions)
}

// wireMessage writes the message as the network signs it.
func wireMessage(t *testing.T, m *pb.Message) []byte {
	t.Helper()
	msg := solana.Message{
		Header: solana.MessageHeader{
			NumRequiredSignatures:       uint8(m.Header.NumRequiredSignatures),
			NumReadonlySignedAccounts:   uint8(m.Header.NumReadonlySignedAccounts),
			NumReadonlyUnsignedAccounts: uint8(m.Header.NumReadonlyUnsignedAccounts),
		},
		RecentBlockhash: solana.Hash(m.RecentBlockhash),
	}
	for _, k := range m.AccountKeys {
		msg.AccountKeys = append(msg.AccountKeys, solana.PublicKey(k))
	}
	for _, ins := range m.Instructions {
		accounts := make([]uint16, len(ins.Accounts))
		for i, a := range ins.Accounts {
			accounts[i] = uint16(a)
		}
		msg.Instructions = append(msg.Instructions, solana.CompiledInstruction{
			ProgramIDIndex: uint16(ins.ProgramIdIndex), Accounts: accounts, Data: ins.Data,
		})
	}
	if m.Versioned {
		if _, err := msg.SetVersion(solana.MessageVersionV0); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range m.AddressTableLookups {
		msg.AddressTableLookups = append(msg.AddressTableLookups, solana.MessageAddressTableLookup{
			AccountKey: solana.PublicKey(l.AccountKey), WritableIndexes: l.WritableIndexes, ReadonlyIndexes: l.ReadonlyIndexes,
		})
	}
	b, err := msg.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCorpusTransactions imports every transaction and compares what the
// decoder sees with the JSON. The fee payer's signature over the rebuilt
// message proves that no byte of it changed; jsonParsed ones are counted
// apart: their bytes may differ in two known ways and no other.
func TestCorpusTransactions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t), "tx", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	d := geyser.NewDecoder()
	signed, parsed, parsedSigned := 0, 0, 0
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		blob, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var raw rawTx
		if err := json.Unmarshal(blob, &raw); err != nil {
			t.Fatal(err)
		}
		out, items := openPlain(t, path)
		if len(items) != 0 || len(out) != 1 {
			t.Errorf("%s: %d updates, %v", name, len(out), items)
			continue
		}
		u := out[0].GetTransaction()
		var tx swapcast.Transaction
		if err := d.Transaction(u, &tx); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tx.Signature.String() != name {
			t.Errorf("signature %s, want %s", tx.Signature, name)
		}
		compareWithJSON(t, name, &raw, &tx)

		msg := wireMessage(t, u.Transaction.Transaction.Message)
		ok := ed25519.Verify(tx.Keys[0][:], msg, tx.Signature[:])
		isParsed := strings.Contains(string(raw.Transaction), `"signer"`)
		switch {
		case isParsed && ok:
			parsed, parsedSigned = parsed+1, parsedSigned+1
		case isParsed:
			parsed++
			if !signedWithKnownLoss(t, u.Transaction) {
				t.Errorf("%s: jsonParsed lost more than the package comment admits", name)
			}
		case ok:
			signed++
		default:
			t.Errorf("%s: signature does not fit the imported message", name)
		}
	}
	t.Logf("%d files: %d in json or base64, all signatures fit; %d jsonParsed, %d signatures fit", len(files), signed, parsed, parsedSigned)
}

// signedWithKnownLoss undoes what jsonParsed is known to lose, read-only counts
// that are too high and the empty form of an associated account's create, and
// reports whether the signature fits then.
func signedWithKnownLoss(t *testing.T, info *pb.SubscribeUpdateTransactionInfo) bool {
	t.Helper()
	m := proto.CloneOf(info.Transaction.Message)
	unsigned := m.Header.NumReadonlyUnsignedAccounts
	for _, emptyCreate := range []bool{false, true} {
		for _, ins := range m.Instructions {
			if emptyCreate && string(m.AccountKeys[ins.ProgramIdIndex]) == string(solana.SPLAssociatedTokenAccountProgramID[:]) && string(ins.Data) == "\x00" {
				ins.Data = nil
			}
		}
		for less := range unsigned + 1 {
			m.Header.NumReadonlyUnsignedAccounts = unsigned - less
			if ed25519.Verify(m.AccountKeys[0], wireMessage(t, m), info.Signature) {
				return true
			}
		}
	}
	return false
}

func compareWithJSON(t *testing.T, name string, raw *rawTx, tx *swapcast.Transaction) {
	t.Helper()
	keys, instructions := raw.outer(t)
	for _, g := range raw.Meta.InnerInstructions {
		instructions += len(g.Instructions)
	}
	wantVersion := swapcast.TxLegacy
	switch v := raw.Version.(type) {
	case float64:
		wantVersion = swapcast.TxVersion(v)
	case string:
		if v == "0" { // one file
			wantVersion = swapcast.TxV0
		}
	}
	wantFee := fmt.Sprint(raw.Meta.Fee)
	if n, ok := raw.Meta.Fee.(float64); ok {
		wantFee = fmt.Sprintf("%.0f", n)
	}
	wantSlot := uint64(0)
	if raw.Slot != nil {
		wantSlot = *raw.Slot
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"keys", len(tx.Keys), keys},
		{"instructions", len(tx.Instructions), instructions},
		{"pre balances", len(tx.PreBalances), len(raw.Meta.PreBalances)},
		{"post balances", len(tx.PostBalances), len(raw.Meta.PostBalances)},
		{"pre tokens", len(tx.PreTokens), len(raw.Meta.PreTokenBalances)},
		{"post tokens", len(tx.PostTokens), len(raw.Meta.PostTokenBalances)},
		{"logs", len(tx.Logs), len(raw.Meta.LogMessages)},
		{"fee", fmt.Sprint(tx.Fee), wantFee},
		{"failed", tx.Failed, raw.Meta.Err != nil},
		{"version", tx.Version, wantVersion},
		{"slot", tx.Slot, wantSlot},
		{"inner known", tx.InnerKnown, raw.Meta.InnerInstructions != nil},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s %v, want %v", name, c.what, c.got, c.want)
		}
	}
}
