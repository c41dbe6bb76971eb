package onchain

import (
	"encoding/base64"
	"encoding/binary"
	"testing"

	"github.com/gagliardetto/solana-go"
)

// FuzzTokenAccount: whatever a node sends for a token account is read as one of the
// owner that was asked for, or refused.
func FuzzTokenAccount(f *testing.F) {
	owner := solana.PublicKey{3}
	good := make([]byte, tokenHead)
	good[0] = 9
	copy(good[32:], owner[:])
	binary.LittleEndian.PutUint64(good[64:], 1<<63)
	f.Add(base64.StdEncoding.EncodeToString(good))
	f.Add(base64.StdEncoding.EncodeToString(good[:71]))
	f.Add("")
	f.Add("?")
	f.Fuzz(func(t *testing.T, text string) {
		k := keyed{Pubkey: solana.PublicKey{1}}
		k.Account.Data = [2]string{text, "base64"}
		a, err := k.read(owner)
		raw, broken := base64.StdEncoding.DecodeString(text)
		if fits := broken == nil && len(raw) >= tokenHead && solana.PublicKey(raw[32:64]) == owner; fits != (err == nil) {
			t.Fatalf("%q: fits %t, error %v", text, fits, err)
		}
		if err == nil && (a.Key != k.Pubkey || a.Mint != solana.PublicKey(raw[:32]) || a.Amount != binary.LittleEndian.Uint64(raw[64:])) {
			t.Fatalf("%q: %+v", text, a)
		}
	})
}
