package stream

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// apiKey is one line of the keys file.
type apiKey struct {
	name          string
	hash          [sha256.Size]byte
	connections   int     // at most at one time; 0: the server's limits
	subscriptions int     // of one connection
	rate          float64 // messages a second of one connection
}

// keySet is the keys that may connect. Immutable.
type keySet struct {
	keys []*apiKey
}

// loadKeys reads a keys file.
func loadKeys(path string) (*keySet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}
	defer f.Close()
	ks, err := parseKeys(f)
	if err != nil {
		return nil, fmt.Errorf("API keys: %s: %w", path, err)
	}
	return ks, nil
}

// parseKeys reads a keys file, whose form Options.KeysFile tells: hashes, so
// that who reads the file cannot connect with it. A key or a name that stands
// there twice is an error.
func parseKeys(r io.Reader) (*keySet, error) {
	ks := &keySet{}
	names := map[string]bool{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := parseKey(strings.Fields(line))
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case names[k.name]:
			return nil, fmt.Errorf("line %d: the name %s is there twice", n, k.name)
		case ks.byHash(k.hash) != nil:
			return nil, fmt.Errorf("line %d: the key of %s has another name already", n, k.name)
		}
		names[k.name] = true
		ks.keys = append(ks.keys, k)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return ks, nil
}

func parseKey(fields []string) (*apiKey, error) {
	if len(fields) < 2 {
		return nil, fmt.Errorf("a name and a hash are expected")
	}
	k := &apiKey{name: fields[0]}
	if Tag(k.name) != k.name {
		return nil, fmt.Errorf("a name is at most %d of A-Z a-z 0-9 _ . : -", maxTag)
	}
	hash, err := hex.DecodeString(fields[1])
	if err != nil || len(hash) != sha256.Size {
		return nil, fmt.Errorf("the hash is not %d hexadecimal digits", 2*sha256.Size) // and is not repeated: it may be a key
	}
	copy(k.hash[:], hash)
	for _, limit := range fields[2:] {
		name, value, _ := strings.Cut(limit, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s: a limit is NAME=NUMBER, at least 1", limit)
		}
		switch name {
		case "conns":
			k.connections = n
		case "subs":
			k.subscriptions = n
		case "rate":
			k.rate = float64(n)
		default:
			return nil, fmt.Errorf("%s: the limits are conns, subs and rate", name)
		}
	}
	return k, nil
}

// find returns the entry of a key as a client sends it, nil where there is none.
func (ks *keySet) find(secret string) *apiKey {
	if secret == "" {
		return nil
	}
	return ks.byHash(sha256.Sum256([]byte(secret)))
}

// has reports whether a key is still there; its limits may have changed.
func (ks *keySet) has(k *apiKey) bool { return ks.byHash(k.hash) != nil }

// byHash compares with every key in constant time: how long it takes tells
// nothing of how much of a hash was right.
func (ks *keySet) byHash(hash [sha256.Size]byte) *apiKey {
	var found *apiKey
	for _, k := range ks.keys {
		if subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1 {
			found = k
		}
	}
	return found
}
