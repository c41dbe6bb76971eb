package swap

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go"
	"go.uber.org/goleak"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/quote"
	"github.com/swapcast/swapcast/rpcpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	user     = solana.PublicKey{0: 1, 31: 1}
	stranger = solana.PublicKey{0: 2, 31: 2}
)

// solQuote is 0.1 SOL for 15 USDC, at 50 basis points.
func solQuote() *quote.Quote {
	return &quote.Quote{
		InputMint: swapcast.NativeMint(), OutputMint: swapcast.USDC(), InAmount: 100_000_000, OutAmount: 15_000_000,
		Threshold: 14_925_000, SlippageBps: 50, Executable: true, Raw: json.RawMessage(`{"inAmount":"100000000","x":1}`),
	}
}

func ata(owner, mint solana.PublicKey) solana.PublicKey {
	a, _, err := solana.FindAssociatedTokenAddress(owner, mint)
	if err != nil {
		panic(err)
	}
	return a
}

func instruction(program solana.PublicKey, data []byte, keys ...solana.PublicKey) solana.Instruction {
	var metas []*solana.AccountMeta
	for _, k := range keys {
		metas = append(metas, &solana.AccountMeta{PublicKey: k, IsWritable: true})
	}
	return solana.NewInstruction(program, metas, data)
}

func u32(tag byte, v uint32) []byte { return binary.LittleEndian.AppendUint32([]byte{tag}, v) }
func u64(tag byte, v uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{tag}, v) }

func transfer(to solana.PublicKey, lamports uint64) solana.Instruction {
	return instruction(solana.SystemProgramID, binary.LittleEndian.AppendUint64([]byte{2, 0, 0, 0}, lamports), user, to)
}

func routeData(in, quoted uint64, bps uint16) []byte {
	d := []byte{0xe5, 0x17, 0xcb, 0x97, 0x7a, 0xe3, 0xad, 0x2a, 1, 0, 0, 0, 7, 100, 0, 1}
	d = binary.LittleEndian.AppendUint64(d, in)
	d = binary.LittleEndian.AppendUint64(d, quoted)
	return append(binary.LittleEndian.AppendUint16(d, bps), 0)
}

func jupiterRoute(in, quoted uint64, bps uint16, to solana.PublicKey) solana.Instruction {
	return instruction(jupiterProgram, routeData(in, quoted, bps), solana.TokenProgramID, user, ata(user, swapcast.NativeMint()), to, jupiterProgram)
}

// routeV2 is Jupiter's route_v2, whose amounts begin at 8, or
// shared_accounts_route_v2, where they do at 9.
func routeV2(at int, in, quoted uint64, bps, fee uint16, to, other solana.PublicKey) solana.Instruction {
	d := []byte{0xbb, 0x64, 0xfa, 0xcc, 0x31, 0xc4, 0xaf, 0x14}
	keys := []solana.PublicKey{user, ata(user, swapcast.NativeMint()), to, swapcast.NativeMint(), swapcast.USDC(), solana.TokenProgramID, solana.TokenProgramID, other}
	if at == 9 {
		d = []byte{0xd1, 0x98, 0x53, 0x93, 0x7c, 0xfe, 0xd8, 0xe9, 3}
		keys = []solana.PublicKey{stranger, user, ata(user, swapcast.NativeMint()), stranger, stranger, to, swapcast.NativeMint(), swapcast.USDC()}
	}
	d = binary.LittleEndian.AppendUint64(d, in)
	d = binary.LittleEndian.AppendUint64(d, quoted)
	d = binary.LittleEndian.AppendUint16(d, bps)
	d = binary.LittleEndian.AppendUint16(d, fee)
	return instruction(jupiterProgram, append(d, 0, 0, 1, 0, 0, 0, 7, 100, 0, 1), keys...)
}

// honest is what Jupiter makes of solQuote.
func honest() []solana.Instruction {
	wrapped, usdc := ata(user, swapcast.NativeMint()), ata(user, swapcast.USDC())
	return []solana.Instruction{
		instruction(solana.ComputeBudget, u32(2, 300_000)),
		instruction(solana.ComputeBudget, u64(3, 1_000_000)),
		instruction(solana.SPLAssociatedTokenAccountProgramID, []byte{1}, user, wrapped, user, swapcast.NativeMint(), solana.SystemProgramID, solana.TokenProgramID),
		transfer(wrapped, 100_000_000),
		instruction(solana.TokenProgramID, []byte{17}, wrapped),
		instruction(solana.SPLAssociatedTokenAccountProgramID, []byte{1}, user, usdc, user, swapcast.USDC(), solana.SystemProgramID, solana.TokenProgramID),
		jupiterRoute(100_000_000, 15_000_000, 50, usdc),
		instruction(solana.TokenProgramID, []byte{9}, wrapped, user, user),
	}
}

// byMade is solQuote by a wrapped SOL account of Jupiter's making.
func byMade(owner solana.PublicKey) []solana.Instruction {
	made, usdc := solana.PublicKey{0: 77, 31: 1}, ata(user, swapcast.USDC())
	return []solana.Instruction{
		instruction(jupiterProgram, []byte{0x93, 0xf1, 0x7b, 0x64, 0xf4, 0x84, 0xae, 0x76, 255}, made, owner, swapcast.NativeMint(), solana.TokenProgramID, solana.SystemProgramID),
		transfer(made, 100_000_000),
		instruction(solana.TokenProgramID, []byte{17}, made),
		jupiterRoute(100_000_000, 15_000_000, 50, usdc),
		instruction(solana.TokenProgramID, []byte{9}, made, user, user),
	}
}

func build(t testing.TB, payer solana.PublicKey, list ...solana.Instruction) []byte {
	t.Helper()
	tx, err := solana.NewTransaction(list, solana.Hash{9}, solana.TransactionPayer(payer))
	if err != nil {
		t.Fatal(err)
	}
	tx.Signatures = make([]solana.Signature, tx.Message.Header.NumRequiredSignatures)
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCheck(t *testing.T) {
	usdc := ata(user, swapcast.USDC())
	replace := func(place int, with ...solana.Instruction) []solana.Instruction {
		list := honest()
		return append(append(append([]solana.Instruction{}, list[:place]...), with...), list[place+1:]...)
	}
	signer := solana.NewInstruction(jupiterProgram, []*solana.AccountMeta{{PublicKey: user, IsSigner: true}, {PublicKey: stranger, IsSigner: true}, {PublicKey: usdc}}, routeData(100_000_000, 15_000_000, 50))
	for _, c := range []struct {
		name string
		raw  []byte
		code string // "" passes
	}{
		{"honest", build(t, user, honest()...), ""},
		{"a threshold one unit lower is a matter of rounding", build(t, user, replace(6, jupiterRoute(100_000_000, 14_999_999, 50, usdc))...), ""},
		{"somebody else pays", build(t, stranger, honest()...), "fee_payer"},
		{"somebody else signs", build(t, user, replace(6, signer)...), "signers"},
		{"a gift of lamports", build(t, user, append(honest(), transfer(stranger, 1))...), "instruction"},
		{"more lamports than the quote", build(t, user, replace(3, transfer(ata(user, swapcast.NativeMint()), 900_000_000))...), "lamports"},
		{"lamports that overflow", build(t, user, append(honest(), transfer(ata(user, swapcast.NativeMint()), 1<<64-1))...), "lamports"},
		{"a transfer of tokens", build(t, user, append(honest(), instruction(solana.TokenProgramID, u64(3, 5), usdc, stranger, user))...), "instruction"},
		{"an approval", build(t, user, append(honest(), instruction(solana.TokenProgramID, u64(4, 5), usdc, stranger, user))...), "instruction"},
		{"a new owner", build(t, user, append(honest(), instruction(solana.TokenProgramID, append([]byte{6, 2, 1}, stranger[:]...), usdc, user))...), "instruction"},
		{"closed in a stranger's favour", build(t, user, replace(7, instruction(solana.TokenProgramID, []byte{9}, ata(user, swapcast.NativeMint()), stranger, user))...), "instruction"},
		{"a stranger's token account", build(t, user, append(honest(), instruction(solana.SPLAssociatedTokenAccountProgramID, nil, user, ata(stranger, swapcast.USDC()), stranger, swapcast.USDC()))...), "instruction"},
		{"another program", build(t, user, append(honest(), instruction(stranger, nil, user))...), "program"},
		{"no router", build(t, user, honest()[:6]...), "router"},
		{"the router twice", build(t, user, append(honest(), honest()[6])...), "router"},
		{"to a stranger", build(t, user, replace(6, jupiterRoute(100_000_000, 15_000_000, 50, ata(stranger, swapcast.USDC())))...), "destination"},
		{"another amount", build(t, user, replace(6, jupiterRoute(200_000_000, 15_000_000, 50, usdc))...), "amount"},
		{"less than quoted", build(t, user, replace(6, jupiterRoute(100_000_000, 14_000_000, 50, usdc))...), "threshold"},
		{"more slippage", build(t, user, replace(6, jupiterRoute(100_000_000, 15_000_000, 500, usdc))...), "threshold"},
		{"all slippage", build(t, user, replace(6, jupiterRoute(100_000_000, 15_000_000, 10_000, usdc))...), "threshold"},
		{"route_v2", build(t, user, replace(6, routeV2(8, 100_000_000, 15_000_000, 50, 0, usdc, jupiterProgram))...), ""},
		{"shared_accounts_route_v2", build(t, user, replace(6, routeV2(9, 100_000_000, 15_000_000, 50, 0, usdc, jupiterProgram))...), ""},
		{"route_v2 with another amount", build(t, user, replace(6, routeV2(8, 100_000_001, 15_000_000, 50, 0, usdc, jupiterProgram))...), "amount"},
		{"shared_accounts_route_v2 with more slippage", build(t, user, replace(6, routeV2(9, 100_000_000, 15_000_000, 51, 0, usdc, jupiterProgram))...), "threshold"},
		{"route_v2 with a platform fee", build(t, user, replace(6, routeV2(8, 100_000_000, 15_000_000, 50, 256, usdc, jupiterProgram))...), "platform_fee"},
		{"route_v2 to a stranger", build(t, user, replace(6, routeV2(8, 100_000_000, 15_000_000, 50, 0, ata(stranger, swapcast.USDC()), jupiterProgram))...), "destination"},
		{"route_v2 to a stranger by its other account", build(t, user, replace(6, routeV2(8, 100_000_000, 15_000_000, 50, 0, usdc, ata(stranger, swapcast.USDC())))...), "destination"},
		{"cut off route_v2", build(t, user, replace(6, instruction(jupiterProgram, []byte{0xbb, 0x64, 0xfa, 0xcc, 0x31, 0xc4, 0xaf, 0x14, 1}, user, stranger, usdc, user, user, user, user, jupiterProgram))...), "instruction"},
		{"a form nobody knows", build(t, user, replace(6, instruction(jupiterProgram, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, user, usdc))...), ""},
		{"wrapped in an account that the router makes", build(t, user, byMade(user)...), ""},
		{"one that it makes for a stranger", build(t, user, byMade(stranger)...), "instruction"},
		{"one that nobody makes", build(t, user, byMade(user)[1:]...), "instruction"},
		{"dear", build(t, user, replace(1, instruction(solana.ComputeBudget, u64(3, 1<<63)))...), "priority_fee"},
		{"endless", build(t, user, replace(0, instruction(solana.ComputeBudget, u32(2, 2_000_000)))...), "compute"},
		{"a heap frame", build(t, user, replace(0, instruction(solana.ComputeBudget, u32(1, 65536)))...), ""},
		{"an unknown budget", build(t, user, replace(0, instruction(solana.ComputeBudget, []byte{9}))...), "instruction"},
		{"nothing", nil, "malformed"},
		{"trailing bytes", append(build(t, user, honest()...), 0), "malformed"},
		{"cut off", build(t, user, honest()...)[:200], "malformed"},
		{"large", make([]byte, MaxBytes+1), "too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Check(c.raw, quote.NameJupiter, solQuote(), user)
			var refusal *Refusal
			switch {
			case c.code == "" && err != nil:
				t.Fatal(err)
			case c.code == "":
				if got.Units > MaxUnits || got.Fee < baseFee {
					t.Errorf("%+v", got)
				}
			case !errors.As(err, &refusal) || refusal.Code != c.code:
				t.Errorf("got %v, want %s", err, c.code)
			}
		})
	}
	signed := build(t, user, honest()...)
	signed[5] = 1
	if _, err := Check(signed, quote.NameJupiter, solQuote(), user); err == nil || !strings.HasPrefix(err.Error(), "signed") {
		t.Errorf("a signature that nobody gave: %v", err)
	}
	got, err := Check(build(t, user, honest()...), quote.NameJupiter, solQuote(), user)
	if err != nil || got.Units != 300_000 || got.Fee != baseFee+300_000 {
		t.Errorf("%+v, %v", got, err)
	}
	other := solQuote()
	other.InputMint, other.OutputMint = swapcast.USDT(), swapcast.USDC()
	if _, err := Check(build(t, user, honest()...), quote.NameJupiter, other, user); err == nil {
		t.Error("SOL is moved for a quote that takes USDT")
	}
	if _, err := Check(build(t, user, honest()...), quote.NameDFlow, solQuote(), user); err == nil {
		t.Error("Jupiter's router in a transaction of DFlow")
	}
	if _, err := Check(build(t, user, honest()...), quote.NamePyth, solQuote(), user); err == nil {
		t.Error("a transaction of an oracle")
	}
}

// Whatever bytes come, nothing panics, and what passes is the user's alone to sign.
func FuzzCheck(f *testing.F) {
	usdc := ata(user, swapcast.USDC())
	f.Add(build(f, user, honest()...))
	f.Add(build(f, user, routeV2(8, 100_000_000, 15_000_000, 50, 0, usdc, jupiterProgram)))
	f.Add(build(f, user, routeV2(9, 100_000_000, 15_000_000, 50, 0, usdc, jupiterProgram)))
	f.Add(build(f, user, instruction(dflowProgram, []byte{0x41, 0x4b, 0x3f, 0x4c, 0xeb, 0x5b, 0x5b, 0x88, 0, 0, 0, 0, 0xc0, 0xe1, 0xe4, 0, 0, 0, 0, 0, 50, 0, 0, 0, 0}, user, user, user, user, usdc)))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, source := range []string{quote.NameJupiter, quote.NameDFlow} {
			c, err := Check(raw, source, solQuote(), user)
			if err == nil && (c.Tx.Message.Header.NumRequiredSignatures != 1 || c.Tx.Message.AccountKeys[0] != user || c.Fee > baseFee+MaxPriorityFee+1) {
				t.Errorf("%x passes", raw)
			}
		}
	})
}

// Whatever a source answers, it is a transaction or an error.
func FuzzBuilt(f *testing.F) {
	f.Add([]byte(`{"swapTransaction":"AQID","lastValidBlockHeight":279632475}`))
	f.Add([]byte(`{"swapTransaction":"AQID","lastValidBlockHeight":"279632475","prioritizationFeeLamports":{"x":[]}}`))
	f.Add([]byte(`{"swapTransaction":"","simulationError":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if raw, _, err := readBuilt(quote.NameJupiter, text); err == nil && len(raw) == 0 {
			t.Errorf("%q is no transaction", text)
		}
	})
}

// Whatever stands around a key pair, it is found.
func FuzzSecret(f *testing.F) {
	pair := ed25519.NewKeyFromSeed(make([]byte, 32))
	text := solana.PrivateKey(pair).String()
	f.Add(`{"x":"`, `"}`)
	f.Add("", "")
	f.Add("[[[[\"", "...")
	f.Add(strings.Repeat("[", 100), "\x00")
	f.Fuzz(func(t *testing.T, before, after string) {
		Secret([]byte(before + after))
		if !Secret([]byte(before + " " + text + " " + after)) {
			t.Errorf("%q and %q hide a key", before, after)
		}
	})
}

func TestSecret(t *testing.T) {
	pair := ed25519.NewKeyFromSeed(make([]byte, 32))
	pair[0] = 0
	list := make([]int, 64)
	for i, b := range pair {
		list[i] = int(b)
	}
	numbers, _ := json.Marshal(list)
	seed, _ := json.Marshal(list[:32])
	text := solana.PrivateKey(pair).String()
	const words = "abandon ability able about above absent absorb abstract absurd abuse access accident"
	for _, body := range []string{
		text, `{"x":"` + text + `"}`, `{"quote":{"deep":["` + text + `"]}}`, `{"x":"my key is ` + text + `, keep it"}`, "broken {" + text,
		string(numbers), `{"key":` + string(numbers) + `}`, `{"key":` + string(seed) + `}`,
		`{"x":"` + base64.StdEncoding.EncodeToString(pair) + `"}`, `{"x":"` + hex.EncodeToString(pair) + `"}`,
		words, `{"x":"` + words + `"}`, `{"x":["` + strings.ReplaceAll(words, " ", `","`) + `"]}`,
		`{"privateKey":"anything"}`, `{"secret_key":[1]}`, `{"Seed Phrase":"x"}`,
	} {
		if !Secret([]byte(body)) {
			t.Errorf("not found in %s", body)
		}
	}
	var signature solana.Signature
	copy(signature[:], pair)
	signature[40]++
	for _, body := range []string{
		"", "{}", `{"signature":"` + signature.String() + `"}`, `{"userPublicKey":"` + user.String() + `","quote":{"amount":"100000000"}}`,
		`{"transaction":"` + base64.StdEncoding.EncodeToString(build(t, user, honest()...)) + `"}`, `[1,2,3]`, `{"privateKey":null}`,
		`{"x":"some words that stand in a sentence and are not a seed phrase at all, are they"}`,
	} {
		if Secret([]byte(body)) {
			t.Errorf("found in %s", body)
		}
	}
}

// answerOf is an answer whose winner is the quote of a source.
func answerOf(source string, q *quote.Quote) *quote.Answer {
	return &quote.Answer{Quote: q, Source: source, Sources: []quote.Result{{Source: source, Outcome: quote.OutcomeOK, Quote: q}}}
}

func TestBuild(t *testing.T) {
	raw := base64.StdEncoding.EncodeToString(build(t, user, honest()...))
	reply := `{"swapTransaction":"` + raw + `","lastValidBlockHeight":279632475}`
	status, kind := http.StatusOK, "application/json"
	var path, sent, key string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		path, sent, key = r.URL.Path, string(body), r.Header.Get("X-Api-Key")
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, reply)
	}))
	defer server.Close()
	b, err := NewBuilder(Options{Jupiter: quote.Jupiter{Remote: quote.Remote{URL: server.URL + "/", Key: "k"}}, Transport: server.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	a := answerOf(quote.NameJupiter, solQuote())
	got, err := b.Build(t.Context(), a, user)
	if err != nil || got.LastValidBlockHeight != 279632475 || base64.StdEncoding.EncodeToString(got.Raw) != raw {
		t.Fatalf("%+v, %v", got, err)
	}
	if path != "/swap/v2/swap" || key != "k" || !strings.Contains(sent, `"taker":"`+user.String()+`"`) || !strings.Contains(sent, `"quoteResponse":{"inAmount":"100000000","x":1}`) {
		t.Errorf("%s %s %s", path, key, sent)
	}
	// The winner makes none: the next best that does is taken.
	onChain := solQuote()
	onChain.Raw = nil
	a.Quote, a.Source = onChain, quote.NameOnChain
	if got, err := b.Build(t.Context(), a, user); err != nil || got.Source != quote.NameJupiter {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := b.Build(t.Context(), answerOf(quote.NameOnChain, onChain), user); !errors.Is(err, ErrNoBuilder) {
		t.Errorf("%v", err)
	}
	reply = `{"swapTransaction":"` + raw + `","lastValidBlockHeight":"5"}`
	if got, err := b.Build(t.Context(), a, user); err != nil || got.LastValidBlockHeight != 5 {
		t.Errorf("a height in quotes: %+v, %v", got, err)
	}
	var refusal *Refusal
	if _, err := b.Build(t.Context(), a, stranger); !errors.As(err, &refusal) {
		t.Errorf("for another user: %v", err)
	}
	var failed *SourceError
	for _, bad := range []string{"", "{}", "[]", `{"swapTransaction":"%"}`, `{"swapTransaction":1}`, strings.Repeat(" ", maxAnswer+1)} {
		reply = bad
		if _, err := b.Build(t.Context(), a, user); !errors.As(err, &failed) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
	status = http.StatusServiceUnavailable
	if _, err := b.Build(t.Context(), a, user); !errors.As(err, &failed) || strings.Contains(err.Error(), "k:") {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Build(gone, a, user); err == nil {
		t.Error("no error for one who left")
	}
	server.Client().CloseIdleConnections()
}

// TestSimulate: the amounts are by how much the user's balances move, rent and fee
// left out.
func TestSimulate(t *testing.T) {
	account := func(owner solana.PublicKey, lamports, tokens uint64) map[string]any {
		var data []byte
		if owner == solana.TokenProgramID {
			data = make([]byte, 165)
			binary.LittleEndian.PutUint64(data[64:], tokens)
		}
		return map[string]any{"lamports": lamports, "owner": owner.String(), "data": []string{base64.StdEncoding.EncodeToString(data), "base64"}, "executable": false, "rentEpoch": 0}
	}
	var chainErr any
	got := uint64(15_000_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     any    `json:"id"`
			Method string `json:"method"`
		}
		_ = json.NewDecoder(r.Body).Decode(&q)
		var value any
		switch q.Method {
		case "getMultipleAccounts":
			value = []any{account(solana.SystemProgramID, 5_000_000_000, 0), nil, nil}
		case "simulateTransaction":
			after := uint64(5_000_000_000 - 100_000_000 - 305_000 - rentOfToken)
			value = map[string]any{"err": chainErr, "logs": []string{}, "unitsConsumed": 120_000, "accounts": []any{account(solana.SystemProgramID, after, 0), nil, account(solana.TokenProgramID, rentOfToken, got)}}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": map[string]any{"context": map[string]any{"slot": 77}, "value": value}})
	}))
	defer server.Close()
	pool, err := rpcpool.New(rpcpool.Options{URLs: []string{server.URL}, PerSecond: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	raw := build(t, user, honest()...)
	checked, err := Check(raw, quote.NameJupiter, solQuote(), user)
	if err != nil {
		t.Fatal(err)
	}
	built := &Built{Source: quote.NameJupiter, Quote: solQuote(), Raw: raw, Checked: checked}
	s, err := simulate(t.Context(), pool, built, user)
	if err != nil || !s.OK || !s.Known || s.InAmount != 100_000_000 || s.OutAmount != 15_000_000 || s.Units != 120_000 || s.Slot != 77 {
		t.Errorf("%+v, %v", s, err)
	}
	got = 14_000_000
	if s, err = simulate(t.Context(), pool, built, user); err != nil || s.OK || s.OutAmount != 14_000_000 {
		t.Errorf("less than the threshold: %+v, %v", s, err)
	}
	chainErr = map[string]any{"InstructionError": []any{6, map[string]any{"Custom": 6001}}}
	if s, err = simulate(t.Context(), pool, built, user); err != nil || s.OK || s.Known || !strings.Contains(s.Error, "6001") {
		t.Errorf("failed: %+v, %v", s, err)
	}
}
