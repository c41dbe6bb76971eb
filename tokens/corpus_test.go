package tokens_test

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/parser/parsertest"
	"github.com/swapcast/swapcast/tokens"
)

// TestRealAccounts reads every account of the corpus that a token program owns.
// Token accounts outnumber mints there, and none may be taken for one.
func TestRealAccounts(t *testing.T) {
	// Supplies move: these are the bounds of what circulated on Solana in the
	// months that the accounts are of, in whole tokens.
	want := map[string]struct {
		tokens.Mint
		low, high uint64
	}{
		"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": {tokens.Mint{Decimals: 6}, 2e9, 12e9},
		"2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo": {tokens.Mint{
			Decimals: 6, HasMetadata: true, Symbol: "PYUSD", Name: "PayPal USD",
			Pointer: solana.MustPublicKeyFromBase58("2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"),
		}, 1e8, 1e9},
		"mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So": {tokens.Mint{Decimals: 9}, 1e6, 1e7},
	}
	seen := make(map[string]bool)
	mints, others := 0, 0
	root := filepath.Join(parsertest.CorpusDir(t), "accounts")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		base := filepath.Base(path)
		if err != nil || d.IsDir() || !strings.HasPrefix(base, "account-") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var file struct {
			Result struct {
				Value struct {
					Data  [2]string
					Owner solana.PublicKey
				}
			}
		}
		if json.Unmarshal(raw, &file) != nil {
			return nil // another form
		}
		data, err := base64.StdEncoding.DecodeString(file.Result.Value.Data[0])
		owner := file.Result.Value.Owner
		if err != nil || owner != solana.TokenProgramID && owner != solana.Token2022ProgramID {
			return err
		}
		address := strings.TrimSuffix(strings.TrimPrefix(base, "account-"), ".json")
		m, err := tokens.ParseMint(solana.MustPublicKeyFromBase58(address), owner, data)
		isMint := len(data) == 82 || len(data) > 165 && data[165] == 1
		if (err == nil) != isMint {
			t.Errorf("%s of %d bytes: %v", address, len(data), err)
		}
		if !isMint {
			others++
			return nil
		}
		mints++
		if w, ok := want[address]; ok {
			seen[address] = true
			whole := m.Supply / uint64(math.Pow10(int(m.Decimals)))
			if w.Supply = m.Supply; m != w.Mint || whole < w.low || whole > w.high {
				t.Errorf("%s: %+v, want %+v", address, m, w)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d mints, %d other accounts of the token programs", mints, others)
	if len(seen) != len(want) {
		t.Errorf("found only %v", seen)
	}
}
