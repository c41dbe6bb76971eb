package wire

// Base58 by limbs: a key is taken as big-endian 32-bit words and divided down
// into digits of base 58^5, the largest power that fits 32 bits, so that most
// of the work is a few 64-bit multiplications rather than 44 long divisions.
// The layout of the alphabet is Bitcoin's.

const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

const (
	limbBase   = 58 * 58 * 58 * 58 * 58 // 656,356,768
	limbDigits = 5
	maxWords   = 64 / 4
	// 64 bytes are at most 88 digits: 18 limbs.
	maxLimbs = 18
)

// AppendBase58 appends the base58 text of a key or a signature. Its length
// must be a multiple of 4 and at most 64 bytes.
func AppendBase58(dst, key []byte) []byte {
	zeros := 0
	for zeros < len(key) && key[zeros] == 0 {
		zeros++
	}
	var limbs [maxLimbs]uint64 // least significant first
	used := 0
	for i := zeros &^ 3; i < len(key); i += 4 {
		carry := uint64(key[i])<<24 | uint64(key[i+1])<<16 | uint64(key[i+2])<<8 | uint64(key[i+3])
		for j := range used {
			carry += limbs[j] << 32
			limbs[j] = carry % limbBase
			carry /= limbBase
		}
		for carry > 0 {
			limbs[used] = carry % limbBase
			carry /= limbBase
			used++
		}
	}
	for range zeros {
		dst = append(dst, alphabet[0])
	}
	var digits [limbDigits]byte
	for i := used - 1; i >= 0; i-- {
		v := limbs[i]
		for d := limbDigits - 1; d >= 0; d-- {
			digits[d] = alphabet[v%58]
			v /= 58
		}
		skip := 0
		if i == used-1 { // the first limb has no leading zeros
			for skip < limbDigits-1 && digits[skip] == alphabet[0] {
				skip++
			}
		}
		dst = append(dst, digits[skip:]...)
	}
	return dst
}
