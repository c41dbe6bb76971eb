package rpctest

import (
	"encoding/binary"

	"github.com/gagliardetto/solana-go"
)

// MetadataForm says where a mint's metadata stands.
type MetadataForm uint8

// The forms.
const (
	NoMetadata MetadataForm = iota
	// Metaplex is an account of Metaplex's Token Metadata program.
	Metaplex
	// Extension is the TokenMetadata extension of a Token-2022 mint, with the
	// MetadataPointer that goes with it.
	Extension
)

// Mint is a mint with its metadata.
type Mint struct {
	Key               solana.PublicKey
	Program           solana.PublicKey // token program; zero: SPL Token, or Token-2022 for Extension
	Decimals          uint8
	Supply            uint64
	Form              MetadataForm
	Name, Symbol, URI string
	// Pointer, where not zero, is what the MetadataPointer names instead of the
	// mint itself.
	Pointer solana.PublicKey
}

// MetaplexProgram is the address of Metaplex's Token Metadata program.
func MetaplexProgram() solana.PublicKey { return solana.TokenMetadataProgramID }

const (
	mintLen  = 82
	tokenLen = 165
	// Rents of a mint and of a metadata account on mainnet, lamports.
	mintRent     = 1_461_600
	metadataRent = 5_115_600
)

func (m *Mint) program() solana.PublicKey {
	switch {
	case !m.Program.IsZero():
		return m.Program
	case m.Form == Extension:
		return solana.Token2022ProgramID
	default:
		return solana.TokenProgramID
	}
}

// MintData is a mint account's data: SPL Token's Mint, and for Token-2022 its
// padding, account type and extensions.
func MintData(m *Mint) []byte {
	data := make([]byte, mintLen)
	binary.LittleEndian.PutUint64(data[36:], m.Supply)
	data[44], data[45] = m.Decimals, 1
	if m.Form != Extension && m.Pointer.IsZero() {
		return data
	}
	data = append(data, make([]byte, tokenLen-mintLen)...)
	data = append(data, 1) // account type: mint
	pointer := m.Pointer
	if pointer.IsZero() {
		pointer = m.Key
	}
	data = appendExtension(data, 18, append(make([]byte, 32), pointer[:]...))
	if m.Form == Extension {
		value := append(make([]byte, 32), m.Key[:]...)
		for _, s := range [...]string{m.Name, m.Symbol, m.URI} {
			value = appendText(value, s)
		}
		value = binary.LittleEndian.AppendUint32(value, 0) // no further pairs
		data = appendExtension(data, 19, value)
	}
	return data
}

func appendExtension(data []byte, kind uint16, value []byte) []byte {
	data = binary.LittleEndian.AppendUint16(data, kind)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(value)))
	return append(data, value...)
}

func appendText(data []byte, s string) []byte {
	data = binary.LittleEndian.AppendUint32(data, uint32(len(s)))
	return append(data, s...)
}

// MetaplexData is a Metaplex metadata account's data, names padded with zero
// bytes as that program pads them.
func MetaplexData(m *Mint) []byte {
	data := append([]byte{4}, make([]byte, 32)...) // MetadataV1, update authority
	data = append(data, m.Key[:]...)
	for _, f := range [...]struct {
		text string
		size int
	}{{m.Name, 32}, {m.Symbol, 10}, {m.URI, 200}} {
		padded := make([]byte, max(f.size, len(f.text)))
		copy(padded, f.text)
		data = appendText(data, string(padded))
	}
	data = append(data, 0, 0) // seller fee
	data = append(data, 0)    // no creators
	return append(data, 1, 1) // primary sale happened, is mutable
}

// MetaplexAddress is where a mint's Metaplex metadata stands.
func MetaplexAddress(mint solana.PublicKey) (solana.PublicKey, error) {
	key, _, err := solana.FindTokenMetadataAddress(mint)
	return key, err
}

func (s *chainState) putMint(m Mint) error {
	m.Program = m.program()
	s.mints[m.Key] = &m
	if m.Form != Metaplex {
		return nil
	}
	key, err := MetaplexAddress(m.Key)
	if err != nil {
		return err
	}
	s.put(key, Account{Lamports: metadataRent, Owner: MetaplexProgram(), Data: MetaplexData(&m)})
	return nil
}
