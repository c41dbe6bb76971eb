package capture

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
)

// parsedTransaction is a jsonParsed transaction with the given inner
// instruction, whose accounts are the keys that testKey makes of 1 to 8.
func parsedTransaction(inner string) string {
	var keys []string
	for i := range 8 {
		keys = append(keys, fmt.Sprintf(`{"pubkey":"%s","signer":%v,"writable":%v,"source":"transaction"}`, testKey(byte(i+1)), i == 0, i < 4))
	}
	programs := []solana.PublicKey{
		solana.TokenProgramID, solana.Token2022ProgramID, solana.SystemProgramID, solana.StakeProgramID,
		solana.SPLAssociatedTokenAccountProgramID, solana.MemoProgramID, solana.VoteProgramID,
	}
	for _, p := range programs {
		keys = append(keys, fmt.Sprintf(`{"pubkey":"%s","signer":false,"writable":false,"source":"transaction"}`, p))
	}
	return fmt.Sprintf(`{"slot":1,"version":"legacy","meta":%s,"transaction":{"signatures":["%s"],"message":{"accountKeys":[%s],"recentBlockhash":"%s",
		"instructions":[{"programId":"%s","accounts":["%s","%s"],"data":"%s","stackHeight":1}]}}}`,
		meta(15, `,"innerInstructions":[{"index":0,"instructions":[`+inner+`]}]`), solana.Signature{5}, strings.Join(keys, ","), testKey(9),
		testKey(8), testKey(1), testKey(2), "2")
}

// importInner gives the one inner instruction's accounts and data.
func importInner(t *testing.T, inner string) (accounts []byte, data string) {
	t.Helper()
	us, items, err := importText(t, parsedTransaction(inner))
	if err != nil || len(items) != 0 || len(us) != 1 {
		t.Fatalf("%d updates, %v %v", len(us), items, err)
	}
	list := us[0].GetTransaction().GetTransaction().GetMeta().GetInnerInstructions()
	ins := list[0].Instructions[0]
	return ins.Accounts, hex.EncodeToString(ins.Data)
}

// TestParsedMoves covers the instructions that move value, against bytes
// worked out from the programs' instruction tables: the variant, then the
// fields, little-endian.
func TestParsedMoves(t *testing.T) {
	k := func(b byte) string { return testKey(b).String() }
	h := func(b byte) string { return strings.Repeat(fmt.Sprintf("%02x", b), 32) }
	const u5 = "0500000000000000"
	const seed = "0300000000000000" + "616263"
	for _, c := range []struct {
		program  solana.PublicKey
		kind     string
		info     string
		accounts []byte
		data     string
	}{
		{solana.TokenProgramID, "transfer", `{"source":"` + k(1) + `","destination":"` + k(2) + `","authority":"` + k(3) + `","amount":"18446744073709551615"}`, []byte{0, 1, 2}, "03ffffffffffffffff"},
		{solana.TokenProgramID, "transfer", `{"source":"` + k(1) + `","destination":"` + k(2) + `","multisigAuthority":"` + k(3) + `","signers":["` + k(4) + `","` + k(5) + `"],"amount":"5"}`, []byte{0, 1, 2, 3, 4}, "03" + u5},
		{solana.Token2022ProgramID, "transferChecked", `{"source":"` + k(1) + `","destination":"` + k(2) + `","mint":"` + k(3) + `","authority":"` + k(4) + `","tokenAmount":{"amount":"5","decimals":6,"uiAmount":0.000005,"uiAmountString":"0.000005"}}`, []byte{0, 2, 1, 3}, "0c" + u5 + "06"},
		{solana.TokenProgramID, "mintTo", `{"mint":"` + k(1) + `","account":"` + k(2) + `","mintAuthority":"` + k(3) + `","amount":"5"}`, []byte{0, 1, 2}, "07" + u5},
		{solana.TokenProgramID, "mintToChecked", `{"mint":"` + k(1) + `","account":"` + k(2) + `","mintAuthority":"` + k(3) + `","tokenAmount":{"amount":"5","decimals":2}}`, []byte{0, 1, 2}, "0e" + u5 + "02"},
		{solana.TokenProgramID, "burn", `{"mint":"` + k(1) + `","account":"` + k(2) + `","authority":"` + k(3) + `","amount":"5"}`, []byte{1, 0, 2}, "08" + u5},
		{solana.TokenProgramID, "burnChecked", `{"mint":"` + k(1) + `","account":"` + k(2) + `","authority":"` + k(3) + `","tokenAmount":{"amount":"5","decimals":2}}`, []byte{1, 0, 2}, "0f" + u5 + "02"},
		{solana.TokenProgramID, "approve", `{"source":"` + k(1) + `","delegate":"` + k(2) + `","owner":"` + k(3) + `","amount":"5"}`, []byte{0, 1, 2}, "04" + u5},
		{solana.TokenProgramID, "approveChecked", `{"source":"` + k(1) + `","mint":"` + k(4) + `","delegate":"` + k(2) + `","owner":"` + k(3) + `","tokenAmount":{"amount":"5","decimals":2}}`, []byte{0, 3, 1, 2}, "0d" + u5 + "02"},
		{solana.TokenProgramID, "revoke", `{"source":"` + k(1) + `","owner":"` + k(3) + `"}`, []byte{0, 2}, "05"},
		{solana.TokenProgramID, "closeAccount", `{"account":"` + k(1) + `","destination":"` + k(2) + `","owner":"` + k(3) + `"}`, []byte{0, 1, 2}, "09"},
		{solana.TokenProgramID, "freezeAccount", `{"account":"` + k(1) + `","mint":"` + k(2) + `","freezeAuthority":"` + k(3) + `"}`, []byte{0, 1, 2}, "0a"},
		{solana.TokenProgramID, "thawAccount", `{"account":"` + k(1) + `","mint":"` + k(2) + `","freezeAuthority":"` + k(3) + `"}`, []byte{0, 1, 2}, "0b"},
		{solana.TokenProgramID, "syncNative", `{"account":"` + k(1) + `"}`, []byte{0}, "11"},
		{solana.TokenProgramID, "initializeAccount", `{"account":"` + k(1) + `","mint":"` + k(2) + `","owner":"` + k(3) + `","rentSysvar":"` + k(4) + `"}`, []byte{0, 1, 2, 3}, "01"},
		{solana.TokenProgramID, "initializeAccount2", `{"account":"` + k(1) + `","mint":"` + k(2) + `","owner":"` + k(3) + `","rentSysvar":"` + k(4) + `"}`, []byte{0, 1, 3}, "10" + h(3)},
		{solana.TokenProgramID, "initializeAccount3", `{"account":"` + k(1) + `","mint":"` + k(2) + `","owner":"` + k(3) + `"}`, []byte{0, 1}, "12" + h(3)},
		{solana.TokenProgramID, "initializeMint", `{"mint":"` + k(1) + `","decimals":9,"mintAuthority":"` + k(2) + `","rentSysvar":"` + k(4) + `"}`, []byte{0, 3}, "0009" + h(2) + "00"},
		{solana.TokenProgramID, "setAuthority", `{"account":"` + k(1) + `","authority":"` + k(2) + `","authorityType":"closeAccount","newAuthority":"` + k(3) + `"}`, []byte{0, 1}, "060301" + h(3)},
		{solana.SystemProgramID, "transfer", `{"source":"` + k(1) + `","destination":"` + k(2) + `","lamports":5}`, []byte{0, 1}, "02000000" + u5},
		{solana.SystemProgramID, "createAccount", `{"source":"` + k(1) + `","newAccount":"` + k(2) + `","lamports":5,"space":165,"owner":"` + k(3) + `"}`, []byte{0, 1}, "00000000" + u5 + "a500000000000000" + h(3)},
		{solana.SystemProgramID, "assign", `{"account":"` + k(1) + `","owner":"` + k(3) + `"}`, []byte{0}, "01000000" + h(3)},
		{solana.SystemProgramID, "allocate", `{"account":"` + k(1) + `","space":165}`, []byte{0}, "08000000" + "a500000000000000"},
		{solana.SystemProgramID, "allocateWithSeed", `{"account":"` + k(1) + `","base":"` + k(2) + `","seed":"abc","space":165,"owner":"` + k(3) + `"}`, []byte{0, 1}, "09000000" + h(2) + seed + "a500000000000000" + h(3)},
		{solana.SystemProgramID, "assignWithSeed", `{"account":"` + k(1) + `","base":"` + k(2) + `","seed":"abc","owner":"` + k(3) + `"}`, []byte{0, 1}, "0a000000" + h(2) + seed + h(3)},
		{solana.SystemProgramID, "createAccountWithSeed", `{"source":"` + k(1) + `","newAccount":"` + k(2) + `","base":"` + k(4) + `","seed":"abc","lamports":5,"space":165,"owner":"` + k(3) + `"}`, []byte{0, 1, 3}, "03000000" + h(4) + seed + u5 + "a500000000000000" + h(3)},
		{solana.SystemProgramID, "createAccountWithSeed", `{"source":"` + k(1) + `","newAccount":"` + k(2) + `","base":"` + k(1) + `","seed":"abc","lamports":5,"space":165,"owner":"` + k(3) + `"}`, []byte{0, 1}, "03000000" + h(1) + seed + u5 + "a500000000000000" + h(3)},
		{solana.SystemProgramID, "transferWithSeed", `{"source":"` + k(1) + `","sourceBase":"` + k(2) + `","destination":"` + k(4) + `","sourceSeed":"abc","lamports":5,"sourceOwner":"` + k(3) + `"}`, []byte{0, 1, 3}, "0b000000" + u5 + seed + h(3)},
	} {
		accounts, data := importInner(t, fmt.Sprintf(`{"programId":"%s","program":"x","parsed":{"type":"%s","info":%s},"stackHeight":2}`, c.program, c.kind, c.info))
		if data != c.data || string(accounts) != string(c.accounts) {
			t.Errorf("%s:\n accounts %v data %s\nwant     %v      %s", c.kind, accounts, data, c.accounts, c.data)
		}
	}
}

// TestParsedByHand covers what no builder is at hand for, against bytes
// worked out from the programs' documentation.
func TestParsedByHand(t *testing.T) {
	k := func(b byte) string { return testKey(b).String() }
	h := func(b byte) string { return strings.Repeat(fmt.Sprintf("%02x", b), 32) }
	for _, c := range []struct {
		program  solana.PublicKey
		parsed   string
		accounts []byte
		data     string
	}{
		{solana.Token2022ProgramID, `{"type":"transferCheckedWithFee","info":{"source":"` + k(1) + `","mint":"` + k(2) + `","destination":"` + k(3) + `","authority":"` + k(4) + `","tokenAmount":{"amount":"256","decimals":6},"feeAmount":{"amount":"3","decimals":6}}}`, []byte{0, 1, 2, 3}, "1a01" + "0001000000000000" + "06" + "0300000000000000"},
		{solana.TokenProgramID, `{"type":"getAccountDataSize","info":{"mint":"` + k(1) + `","extensionTypes":["immutableOwner"]}}`, []byte{0}, "150700"},
		{solana.TokenProgramID, `{"type":"initializeImmutableOwner","info":{"account":"` + k(1) + `"}}`, []byte{0}, "16"},
		{solana.TokenProgramID, `{"type":"initializeMint2","info":{"mint":"` + k(1) + `","decimals":6,"mintAuthority":"` + k(2) + `"}}`, []byte{0}, "1406" + h(2) + "00"},
		{solana.TokenProgramID, `{"type":"initializeMint2","info":{"mint":"` + k(1) + `","decimals":6,"mintAuthority":"` + k(2) + `","freezeAuthority":"` + k(3) + `"}}`, []byte{0}, "1406" + h(2) + "01" + h(3)},
		{solana.TokenProgramID, `{"type":"setAuthority","info":{"mint":"` + k(1) + `","authority":"` + k(2) + `","authorityType":"mintTokens","newAuthority":null}}`, []byte{0, 1}, "060000"},
		{solana.Token2022ProgramID, `{"type":"initializeMetadataPointer","info":{"mint":"` + k(1) + `","metadataAddress":"` + k(2) + `"}}`, []byte{0}, "2700" + h(0) + h(2)},
		{solana.SPLAssociatedTokenAccountProgramID, `{"type":"createIdempotent","info":{"source":"` + k(1) + `","account":"` + k(2) + `","wallet":"` + k(3) + `","mint":"` + k(4) + `","systemProgram":"` + solana.SystemProgramID.String() + `","tokenProgram":"` + solana.TokenProgramID.String() + `"}}`, []byte{0, 1, 2, 3, 10, 8}, "01"},
		{solana.SystemProgramID, `{"type":"advanceNonce","info":{"nonceAccount":"` + k(1) + `","recentBlockhashesSysvar":"` + k(2) + `","nonceAuthority":"` + k(3) + `"}}`, []byte{0, 1, 2}, "04000000"},
		{solana.StakeProgramID, `{"type":"split","info":{"stakeAccount":"` + k(1) + `","newSplitAccount":"` + k(2) + `","stakeAuthority":"` + k(3) + `","lamports":256}}`, []byte{0, 1, 2}, "03000000" + "0001000000000000"},
		{solana.StakeProgramID, `{"type":"authorize","info":{"stakeAccount":"` + k(1) + `","clockSysvar":"` + k(2) + `","authority":"` + k(3) + `","newAuthority":"` + k(4) + `","authorityType":"Withdrawer"}}`, []byte{0, 1, 2}, "01000000" + h(4) + "01000000"},
		{solana.MemoProgramID, `"hé"`, nil, "68c3a9"},
	} {
		accounts, data := importInner(t, fmt.Sprintf(`{"programId":"%s","program":"x","parsed":%s,"stackHeight":2}`, c.program, c.parsed))
		if data != c.data || string(accounts) != string(c.accounts) {
			t.Errorf("%s:\n accounts %v data %s\nwant     %v      %s", c.parsed, accounts, data, c.accounts, c.data)
		}
	}
}

// TestParsedRefused: what cannot be written back is refused by name.
func TestParsedRefused(t *testing.T) {
	tokens := solana.TokenProgramID.String()
	for name, c := range map[string]struct{ inner, want string }{
		"unknown type":    {`{"programId":"` + tokens + `","program":"spl-token","parsed":{"type":"withdrawExcessLamports","info":{}}}`, "instruction 0.0: spl-token withdrawExcessLamports is given in parsed form only"},
		"unknown program": {`{"programId":"` + testKey(8).String() + `","program":"address-lookup-table","parsed":{"type":"extendLookupTable","info":{}}}`, "address-lookup-table extendLookupTable"},
		"no amount":       {`{"programId":"` + tokens + `","program":"spl-token","parsed":{"type":"transfer","info":{"source":"` + testKey(1).String() + `","destination":"` + testKey(1).String() + `","authority":"` + testKey(1).String() + `"}}}`, "amount"},
		"foreign account": {`{"programId":"` + tokens + `","program":"spl-token","parsed":{"type":"syncNative","info":{"account":"` + testKey(77).String() + `"}}}`, "none of the transaction's"},
		"text":            {`{"programId":"` + tokens + `","program":"spl-token","parsed":"x"}`, "spl-token"},
	} {
		us, items, err := importText(t, parsedTransaction(c.inner))
		if err != nil || len(us) != 0 || len(items) != 1 || !strings.Contains(items[0].Error(), c.want) {
			t.Errorf("%s: %d updates, %v, %v; want an error with %q", name, len(us), items, err, c.want)
		}
		if len(items) == 1 && !strings.Contains(items[0].Error(), solana.Signature{5}.String()) {
			t.Errorf("%s: the signature is not named: %v", name, items[0])
		}
	}
}

// TestParsedVote: a vote of a jsonParsed block is left out without an error.
func TestParsedVote(t *testing.T) {
	text := strings.Replace(parsedTransaction(`{"programId":"`+solana.MemoProgramID.String()+`","program":"spl-memo","parsed":"m"}`),
		`{"programId":"`+testKey(8).String()+`","accounts":["`+testKey(1).String()+`","`+testKey(2).String()+`"],"data":"2","stackHeight":1}`,
		`{"programId":"`+solana.VoteProgramID.String()+`","program":"vote","parsed":{"type":"towersync","info":{}}}`, 1)
	us, items, err := importText(t, text)
	if err != nil || len(us) != 0 || len(items) != 0 {
		t.Errorf("%d updates, %v, %v", len(us), items, err)
	}
}

func TestTransactionErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"InstructionError":[2,{"Custom":6001}]}`:           "08000000" + "02" + "19000000" + "71170000",
		`{"InstructionError":[0,"ProgramFailedToComplete"]}`: "08000000" + "00" + "28000000",
		`{"InstructionError":[1,{"BorshIoError":"ab"}]}`:     "08000000" + "01" + "2c000000" + "0200000000000000" + "6162",
		`{"InstructionError":[1,"BorshIoError"]}`:            "08000000" + "01" + "2c000000",
		`"BlockhashNotFound"`:                                "07000000",
		`{"DuplicateInstruction":3}`:                         "1e000000" + "03",
		`{"InsufficientFundsForRent":{"account_index":4}}`:   "1f000000" + "04",
		`"SomethingOfTomorrow"`:                              "",
		`{"InstructionError":[1,"SomethingOfTomorrow"]}`:     "",
		`{"InstructionError":[1]}`:                           "",
		`{"InstructionError":[1,{"Custom":-1}]}`:             "",
		`17`:                                                 "",
	} {
		if got := hex.EncodeToString(bincodeError([]byte(text))); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
