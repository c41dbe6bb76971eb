package rpctest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pb "github.com/rpcpool/yellowstone-grpc/examples/golang/proto"
	"google.golang.org/protobuf/proto"

	"github.com/swapcast/swapcast/geyser/capture"
	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/rpctest"
)

// importAll reads what capture makes of getBlock JSON.
func importAll(t testing.TB, raw []byte) []*pb.SubscribeUpdate {
	t.Helper()
	var out []*pb.SubscribeUpdate
	in := capture.Import(bytes.NewReader(raw))
	for {
		u, err := in.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, u)
	}
}

func confirm(slot uint64) *pb.SubscribeUpdate {
	return &pb.SubscribeUpdate{UpdateOneof: &pb.SubscribeUpdate_Slot{Slot: &pb.SubscribeUpdateSlot{Slot: slot, Status: pb.SlotStatus_SLOT_FINALIZED}}}
}

// ask sends one request and gives result and error.
func ask(t testing.TB, s *rpctest.Server, method, params string) (json.RawMessage, *answerError) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":%s}`, method, params)
	var a struct {
		Result json.RawMessage
		Error  *answerError
		ID     int
	}
	raw := post(t, s, body)
	if err := json.Unmarshal(raw, &a); err != nil || a.ID != 7 {
		t.Fatalf("%s: %v: %.200s", method, err, raw)
	}
	return a.Result, a.Error
}

type answerError struct {
	Code    int
	Message string
}

func post(t testing.TB, s *rpctest.Server, body string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Transport().RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newServer(t testing.TB, o rpctest.Options) *rpctest.Server {
	t.Helper()
	s, err := rpctest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRealBlocks puts whole mainnet blocks into a Recorder, asks for them over
// RPC in both encodings, and wants every update back, bit by bit, failed
// transactions with their errors included.
func TestRealBlocks(t *testing.T) {
	dir := filepath.Join(parsertest.CorpusDir(t), "blocks")
	for name, encodings := range map[string][]string{
		"slot_361774429.getBlock.base64.json": {"base64"}, "slot_285000037.block.json.json": {"base64", "json"},
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		updates := importAll(t, raw)
		slot := updates[len(updates)-1].GetBlockMeta().GetSlot()
		chain := rpctest.NewRecorder(rpctest.RecorderOptions{})
		chain.Add(updates...)
		chain.Add(confirm(slot))
		s := newServer(t, rpctest.Options{Store: chain})
		for _, encoding := range encodings {
			result, fail := ask(t, s, "getBlock", fmt.Sprintf(`[%d,{"encoding":%q,"maxSupportedTransactionVersion":1}]`, slot, encoding))
			if fail != nil {
				t.Fatalf("%s: %+v", encoding, fail)
			}
			got := importAll(t, result)
			if len(got) != len(updates) {
				t.Fatalf("%s: %d updates, want %d", encoding, len(got), len(updates))
			}
			different, failed := 0, 0
			for i := range got {
				if updates[i].GetTransaction().GetTransaction().GetMeta().GetErr() != nil {
					failed++
				}
				if !proto.Equal(got[i], updates[i]) {
					if different++; different < 4 {
						t.Errorf("%s: update %d differs:\n got %.600v\nwant %.600v", encoding, i, got[i], updates[i])
					}
				}
			}
			t.Logf("%s as %s: %d updates, %d of failed transactions, %d differ", name, encoding, len(got), failed, different)
		}
	}
}
