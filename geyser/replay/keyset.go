package replay

import "github.com/gagliardetto/solana-go"

// keySet is a set of keys as filters hold them: compared as 32 bytes, never as
// base58 text. The nil set is no condition at all.
type keySet struct {
	// first has a bit for each first byte that a key of the set begins with. A
	// filter has tens of keys and a transaction has tens that are not among
	// them: most are told by one byte, without hashing.
	first [4]uint64
	keys  map[solana.PublicKey]struct{}
}

// newKeySet reads base58 keys; it is nil for an empty list.
func newKeySet(list []string) (*keySet, error) {
	if len(list) == 0 {
		return nil, nil
	}
	s := &keySet{keys: make(map[solana.PublicKey]struct{}, len(list))}
	for _, text := range list {
		key, err := parseKey(text)
		if err != nil {
			return nil, err
		}
		s.keys[key] = struct{}{}
		s.first[key[0]>>6] |= 1 << (key[0] & 63)
	}
	return s, nil
}

func (s *keySet) has(k *solana.PublicKey) bool {
	if s.first[k[0]>>6]&(1<<(k[0]&63)) == 0 {
		return false
	}
	_, ok := s.keys[*k]
	return ok
}

// any tells whether one of keys is in s. It walks the transaction's keys:
// there are tens of them, while lists of filters can have thousands.
func (s *keySet) any(keys []solana.PublicKey) bool {
	for i := range keys {
		if s.has(&keys[i]) {
			return true
		}
	}
	return false
}
