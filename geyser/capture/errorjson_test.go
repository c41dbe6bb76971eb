package capture

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
)

// TestErrorJSON goes through every error that the lists know, both ways.
func TestErrorJSON(t *testing.T) {
	bodies := map[string]string{
		"DuplicateInstruction": "7", "InsufficientFundsForRent": `{"account_index":3}`, "ProgramExecutionTemporarilyRestricted": `{"account_index":200}`,
	}
	var all []string
	for _, name := range transactionErrors() {
		switch body, has := bodies[name]; {
		case has:
			all = append(all, fmt.Sprintf(`{%q:%s}`, name, body))
		case name != "InstructionError":
			all = append(all, fmt.Sprintf("%q", name))
		}
	}
	for _, name := range instructionErrors() {
		inner := fmt.Sprintf("%q", name)
		if name == "Custom" {
			inner = `{"Custom":4294967295}`
		}
		all = append(all, `{"InstructionError":[5,`+inner+`]}`)
	}
	all = append(all, `{"InstructionError":[0,{"BorshIoError":"un\"known"}]}`)
	for _, text := range all {
		b := bincodeError(json.RawMessage(text))
		if b == nil {
			t.Fatalf("%s has no bincode", text)
		}
		if got := ErrorJSON(b); string(got) != text {
			t.Errorf("%s came back as %s", text, got)
		}
	}
}

// FuzzErrorJSON: any bytes give valid JSON that is not null.
func FuzzErrorJSON(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 5, 25, 0, 0, 0, 1, 2, 3, 4})
	f.Add(binary.LittleEndian.AppendUint64([]byte{8, 0, 0, 0, 5, 44, 0, 0, 0}, 1<<63))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got := ErrorJSON(b); !json.Valid(got) || string(got) == "null" {
			t.Errorf("%x: %s", b, got)
		}
	})
}
