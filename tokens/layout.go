package tokens

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/gagliardetto/solana-go"
)

// Programs whose accounts are read.
//
//nolint:gochecknoglobals // fixed 32-byte keys, never written
var (
	tokenProgram     = solana.TokenProgramID
	token2022Program = solana.Token2022ProgramID
	// metaplexProgram is Metaplex's Token Metadata program.
	metaplexProgram = solana.MustPublicKeyFromBase58("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s")
)

// Errors of the parsers: what an account is not.
var (
	ErrNotMint     = errors.New("not a mint account")
	ErrNotMetadata = errors.New("not a metadata account")
)

// Mint is a mint account as far as it is read.
type Mint struct {
	Supply   uint64 // raw units
	Decimals uint8
	// HasMetadata says that the mint carries a TokenMetadata extension that
	// names this mint, Symbol and Name of which are cleaned.
	HasMetadata  bool
	Symbol, Name string
	// Pointer is the account that the MetadataPointer extension names; zero
	// where there is none.
	Pointer solana.PublicKey
}

// Layout of a mint: SPL Token's state.rs, struct Mint, packed. Token-2022 pads
// it to the length of a token account, says which of the two it is, and appends
// extensions as type, length, value (extension/mod.rs of the token-2022
// interface).
const (
	mintLen         = 82
	mintSupplyAt    = 36
	mintDecimalsAt  = 44
	mintInitialized = 45
	accountTypeAt   = 165
	accountTypeMint = 1
	extensionsAt    = 166

	extMetadataPointer = 18
	extTokenMetadata   = 19
)

// ParseMint reads a mint account's data, or its beginning: extensions that are
// cut off are not seen. owner is the account's owner.
func ParseMint(mint, owner solana.PublicKey, data []byte) (Mint, error) {
	var m Mint
	if owner != tokenProgram && owner != token2022Program || len(data) < mintLen || data[mintInitialized] != 1 {
		return m, ErrNotMint
	}
	if owner == tokenProgram && len(data) != mintLen {
		return m, ErrNotMint // a token account or a multisig
	}
	m.Supply = binary.LittleEndian.Uint64(data[mintSupplyAt:])
	m.Decimals = data[mintDecimalsAt]
	if len(data) == mintLen {
		return m, nil
	}
	if len(data) < extensionsAt || data[accountTypeAt] != accountTypeMint {
		return Mint{}, ErrNotMint // a token account's owner and amount could look like anything
	}
	m.extensions(mint, data[extensionsAt:])
	return m, nil
}

// extensions walks over the list; each entry takes 4 bytes or more.
func (m *Mint) extensions(mint solana.PublicKey, rest []byte) {
	for len(rest) >= 4 {
		kind, length := binary.LittleEndian.Uint16(rest), int(binary.LittleEndian.Uint16(rest[2:]))
		value := rest[4:]
		whole := length <= len(value)
		if whole {
			value, rest = value[:length], value[length:]
		}
		switch kind {
		case 0: // nothing follows
			return
		case extMetadataPointer: // authority, metadata account
			if len(value) >= 64 {
				m.Pointer = solana.PublicKey(value[32:64])
			}
		case extTokenMetadata:
			m.Symbol, m.Name, m.HasMetadata = tokenMetadata(mint, value)
		}
		if !whole {
			return
		}
	}
}

// tokenMetadata reads the struct TokenMetadata of the SPL token-metadata
// interface: update authority, mint, name, symbol, uri, more pairs.
func tokenMetadata(mint solana.PublicKey, value []byte) (symbol, name string, ok bool) {
	if len(value) < 64 || !bytes.Equal(value[32:64], mint[:]) {
		return "", "", false
	}
	return names(value[64:])
}

// metaplexKey is the variant MetadataV1 of Metaplex's enum Key.
const metaplexKey = 4

// ParseMetaplex reads a Metaplex metadata account's data, or its beginning:
// struct Metadata of the Token Metadata program: key, update authority, mint,
// name, symbol, uri and more. Names are padded with zero bytes to a fixed length
// in most accounts.
func ParseMetaplex(mint, owner solana.PublicKey, data []byte) (symbol, name string, err error) {
	if owner != metaplexProgram || len(data) < 65 || data[0] != metaplexKey || !bytes.Equal(data[33:65], mint[:]) {
		return "", "", ErrNotMetadata
	}
	symbol, name, ok := names(data[65:])
	if !ok {
		return "", "", ErrNotMetadata
	}
	return symbol, name, nil
}

// names reads name and symbol, the same in both forms of metadata: each a
// length (32 bits, little-endian) and that many bytes.
func names(b []byte) (symbol, name string, ok bool) {
	rawName, b, ok := text(b)
	if !ok {
		return "", "", false
	}
	rawSymbol, _, ok := text(b)
	if !ok {
		return "", "", false
	}
	return CleanText(rawSymbol, MaxSymbol), CleanText(rawName, MaxName), true
}

func text(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return "", nil, false
	}
	return string(b[4 : 4+n]), b[4+n:], true
}

// MetaplexAddress is where the Metaplex metadata of a mint stands.
func MetaplexAddress(mint solana.PublicKey) (solana.PublicKey, error) {
	key, _, err := solana.FindProgramAddress([][]byte{[]byte("metadata"), metaplexProgram[:], mint[:]}, metaplexProgram)
	return key, err
}
