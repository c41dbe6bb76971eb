package tokens_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast/rpctest"
	"github.com/swapcast/swapcast/tokens"
)

func key(b byte) solana.PublicKey {
	k := solana.PublicKey{31: b}
	k[0] = b
	return k
}

func TestParseMint(t *testing.T) {
	plain := rpctest.Mint{Key: key(1), Decimals: 6, Supply: 123456789}
	m, err := tokens.ParseMint(key(1), solana.TokenProgramID, rpctest.MintData(&plain))
	if err != nil || m != (tokens.Mint{Supply: 123456789, Decimals: 6}) {
		t.Errorf("SPL mint: %+v, %v", m, err)
	}
	named := rpctest.Mint{Key: key(2), Decimals: 9, Supply: 5, Form: rpctest.Extension, Name: "Pepe \u202eCoin", Symbol: "PEPE\x00", URI: "https://example.com"}
	m, err = tokens.ParseMint(key(2), solana.Token2022ProgramID, rpctest.MintData(&named))
	want := tokens.Mint{Supply: 5, Decimals: 9, HasMetadata: true, Symbol: "PEPE", Name: "Pepe Coin", Pointer: key(2)}
	if err != nil || m != want {
		t.Errorf("Token-2022 mint: %+v, %v", m, err)
	}
	// The metadata of another mint is not taken.
	m, err = tokens.ParseMint(key(3), solana.Token2022ProgramID, rpctest.MintData(&named))
	if err != nil || m.HasMetadata || m.Symbol != "" {
		t.Errorf("metadata of another mint: %+v, %v", m, err)
	}
}

func TestParseMintRefuses(t *testing.T) {
	spl := rpctest.MintData(&rpctest.Mint{Key: key(1)})
	ext := rpctest.MintData(&rpctest.Mint{Key: key(1), Form: rpctest.Extension})
	with := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	for name, c := range map[string]struct {
		owner solana.PublicKey
		data  []byte
	}{
		"no data":             {solana.TokenProgramID, nil},
		"short":               {solana.TokenProgramID, spl[:81]},
		"foreign program":     {solana.SystemProgramID, spl},
		"not initialized":     {solana.TokenProgramID, with(spl, 45, 0)},
		"token account":       {solana.TokenProgramID, with(make([]byte, 165), 45, 1)},
		"2022 token account":  {solana.Token2022ProgramID, with(with(make([]byte, 170), 45, 1), 165, 2)},
		"2022 plain account":  {solana.Token2022ProgramID, with(make([]byte, 165), 45, 1)},
		"2022 wrong type":     {solana.Token2022ProgramID, with(ext, 165, 2)},
		"SPL with extensions": {solana.TokenProgramID, ext},
	} {
		if m, err := tokens.ParseMint(key(1), c.owner, c.data); !errors.Is(err, tokens.ErrNotMint) || m != (tokens.Mint{}) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestCutExtensions: an account that is read in part gives what is there, and
// never the wrong thing.
func TestCutExtensions(t *testing.T) {
	mint := rpctest.Mint{Key: key(2), Decimals: 9, Form: rpctest.Extension, Name: "Name", Symbol: "SYM", URI: strings.Repeat("u", 300)}
	whole := rpctest.MintData(&mint)
	sawNames := false
	for n := 166; n <= len(whole); n++ {
		m, err := tokens.ParseMint(key(2), solana.Token2022ProgramID, whole[:n])
		if err != nil || m.Decimals != 9 {
			t.Fatalf("%d bytes: %+v, %v", n, m, err)
		}
		if m.HasMetadata {
			sawNames = true
			if m.Symbol != "SYM" || m.Name != "Name" {
				t.Fatalf("%d bytes: %+v", n, m)
			}
		} else if sawNames {
			t.Fatalf("%d bytes: the names are gone again", n)
		}
	}
	if !sawNames {
		t.Error("the names were never read")
	}
	// The names do not need the uri behind them.
	if m, _ := tokens.ParseMint(key(2), solana.Token2022ProgramID, whole[:len(whole)-200]); !m.HasMetadata {
		t.Error("the names stand before the cut and were not read")
	}
}

func TestParseMetaplex(t *testing.T) {
	m := rpctest.Mint{Key: key(7), Name: "dogwifhat", Symbol: "$WIF", URI: "https://example.com/x.json"}
	data := rpctest.MetaplexData(&m)
	symbol, name, err := tokens.ParseMetaplex(key(7), rpctest.MetaplexProgram(), data)
	if err != nil || symbol != "$WIF" || name != "dogwifhat" {
		t.Errorf("%q %q %v", symbol, name, err)
	}
	huge := bytes.Clone(data)
	copy(huge[65:], "\xff\xff\xff\xff")
	for name, c := range map[string]struct {
		mint, owner solana.PublicKey
		data        []byte
	}{
		"another mint":   {key(8), rpctest.MetaplexProgram(), data},
		"foreign owner":  {key(7), solana.TokenProgramID, data},
		"other kind":     {key(7), rpctest.MetaplexProgram(), append([]byte{6}, data[1:]...)},
		"empty":          {key(7), rpctest.MetaplexProgram(), nil},
		"cut":            {key(7), rpctest.MetaplexProgram(), data[:100]},
		"absurd length":  {key(7), rpctest.MetaplexProgram(), huge},
		"cut in symbol":  {key(7), rpctest.MetaplexProgram(), data[:65+4+32+4+5]},
		"only the fixed": {key(7), rpctest.MetaplexProgram(), data[:65]},
	} {
		if symbol, text, err := tokens.ParseMetaplex(c.mint, c.owner, c.data); !errors.Is(err, tokens.ErrNotMetadata) || symbol != "" || text != "" {
			t.Errorf("%s: %q %q %v", name, symbol, text, err)
		}
	}
}

// TestMetaplexAddress holds the derivation against addresses that explorers show
// for well-known mints.
func TestMetaplexAddress(t *testing.T) {
	for mint, want := range map[string]string{
		"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v": "5x38Kp4hvdomTCnCrAny4UtMUt5rQBdB6px2K1Ui45Wq",
	} {
		got, err := tokens.MetaplexAddress(solana.MustPublicKeyFromBase58(mint))
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v, want %s", mint, got, err, want)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	m := rpctest.Mint{Key: key(2), Form: rpctest.Extension, Name: "n\u202e", Symbol: "s", URI: "u"}
	f.Add(rpctest.MintData(&m))
	f.Add(rpctest.MetaplexData(&m))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, owner := range []solana.PublicKey{solana.TokenProgramID, solana.Token2022ProgramID} {
			m, err := tokens.ParseMint(key(2), owner, data)
			if err != nil && m != (tokens.Mint{}) {
				t.Errorf("an error with %+v", m)
			}
			checkText(t, m.Symbol, tokens.MaxSymbol)
			checkText(t, m.Name, tokens.MaxName)
		}
		symbol, name, _ := tokens.ParseMetaplex(key(2), rpctest.MetaplexProgram(), data)
		checkText(t, symbol, tokens.MaxSymbol)
		checkText(t, name, tokens.MaxName)
	})
}
