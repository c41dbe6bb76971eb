package swap

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gagliardetto/solana-go/base58"
)

// Secret tells whether a client's text holds what looks like a private key: a
// 64-byte key pair in base58, base64 or hex, a list of 32 or 64 small numbers as
// Solana's tools write them, a seed phrase, or a field that is named like one. A
// signature, which has 64 bytes too, is none: a key pair's second half is the public
// key of its first.
func Secret(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) == nil && secretValue(v, 0) {
		return true
	}
	return secretText(string(text))
}

// maxSecretDepth bounds how deep a body is searched; ours nest three deep, and the
// text as a whole is searched in any case.
const maxSecretDepth = 32

func secretValue(v any, depth int) bool {
	if depth > maxSecretDepth {
		return true // nobody honest sends it
	}
	switch v := v.(type) {
	case string:
		return secretText(v)
	case []any:
		if numbers(v) || phrase(strings.Fields(joined(v))) {
			return true
		}
		for _, one := range v {
			if secretValue(one, depth+1) {
				return true
			}
		}
	case map[string]any:
		for name, one := range v {
			if secretName(name) && one != nil && one != "" || secretValue(one, depth+1) {
				return true
			}
		}
	}
	return false
}

// secretName tells whether a field says of itself that it is one.
func secretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	switch name {
	case "privatekey", "secretkey", "secret", "seed", "seedphrase", "mnemonic", "keypair", "privkey":
		return true
	}
	return false
}

// numbers tells whether a list is key bytes.
func numbers(list []any) bool {
	if len(list) != ed25519.PrivateKeySize && len(list) != ed25519.SeedSize {
		return false
	}
	for _, one := range list {
		n, ok := one.(json.Number)
		if !ok {
			return false
		}
		if i, err := n.Int64(); err != nil || i < 0 || i > 255 {
			return false
		}
	}
	return true
}

func joined(list []any) string {
	var words []string
	for _, one := range list {
		if s, ok := one.(string); ok {
			words = append(words, s)
		}
	}
	return strings.Join(words, " ")
}

// secretText looks at every word of a text, whatever stands between them.
func secretText(text string) bool {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/' || r == '=' || r == '-' || r == '_')
	})
	return slices.ContainsFunc(words, keyPairText) || phrase(strings.Fields(text))
}

// keyPairText tells whether a word is a key pair. Lengths first: decoding is dear.
func keyPairText(word string) bool {
	switch n := len(word); {
	case n == 128:
		b, err := hex.DecodeString(word)
		return err == nil && keyPair(b)
	case n >= 64 && n <= 88: // in base58 a key that begins with zeros is short
		if b, err := base58.Decode(word); err == nil && keyPair(b) {
			return true
		}
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
			if b, err := encoding.DecodeString(word); err == nil && keyPair(b) {
				return true
			}
		}
	}
	return false
}

func keyPair(b []byte) bool {
	return len(b) == ed25519.PrivateKeySize && bytes.Equal(ed25519.NewKeyFromSeed(b[:ed25519.SeedSize]), b)
}

// phrase tells whether words are a seed phrase: 12 to 24 of them, a multiple of
// three, each 3 to 8 lower-case letters, as the lists of BIP-39 have them.
func phrase(words []string) bool {
	if n := len(words); n < 12 || n > 24 || n%3 != 0 {
		return false
	}
	for _, word := range words {
		if len(word) < 3 || len(word) > 8 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
			return false
		}
	}
	return true
}
