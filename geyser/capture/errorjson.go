package capture

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// ErrorJSON is the inverse of what Import does with a transaction's error: the
// JSON form, as RPC gives it, of the bincode that Geyser carries. An error that
// cannot be read is told by a name that no version of the chain uses, for null
// would say that the transaction succeeded.
func ErrorJSON(b []byte) json.RawMessage {
	const unreadable = `"UnreadableError"`
	name, rest, ok := enum(b, transactionErrors())
	if !ok {
		return json.RawMessage(unreadable)
	}
	switch name {
	case "InstructionError":
		if len(rest) < 1 {
			return json.RawMessage(unreadable)
		}
		inner, ok := instructionErrorJSON(rest[1:])
		if !ok {
			return json.RawMessage(unreadable)
		}
		return fmt.Appendf(nil, `{"InstructionError":[%d,%s]}`, rest[0], inner)
	case "DuplicateInstruction":
		if len(rest) < 1 {
			return json.RawMessage(unreadable)
		}
		return fmt.Appendf(nil, `{"DuplicateInstruction":%d}`, rest[0])
	case "InsufficientFundsForRent", "ProgramExecutionTemporarilyRestricted":
		if len(rest) < 1 {
			return json.RawMessage(unreadable)
		}
		return fmt.Appendf(nil, `{%q:{"account_index":%d}}`, name, rest[0])
	default:
		return fmt.Appendf(nil, "%q", name)
	}
}

func instructionErrorJSON(b []byte) (json.RawMessage, bool) {
	name, rest, ok := enum(b, instructionErrors())
	switch {
	case !ok:
		return nil, false
	case name == "Custom":
		if len(rest) < 4 {
			return nil, false
		}
		return fmt.Appendf(nil, `{"Custom":%d}`, binary.LittleEndian.Uint32(rest)), true
	case name == "BorshIoError" && len(rest) >= 8:
		n := binary.LittleEndian.Uint64(rest)
		if n > uint64(len(rest)-8) {
			return nil, false
		}
		text, err := json.Marshal(string(rest[8 : 8+n]))
		if err != nil {
			return nil, false
		}
		return fmt.Appendf(nil, `{"BorshIoError":%s}`, text), true
	default:
		return fmt.Appendf(nil, "%q", name), true
	}
}

// enum reads a bincode variant.
func enum(b []byte, names []string) (name string, rest []byte, ok bool) {
	if len(b) < 4 {
		return "", nil, false
	}
	at := binary.LittleEndian.Uint32(b)
	if uint64(at) >= uint64(len(names)) {
		return "", nil, false
	}
	return names[at], b[4:], true
}
