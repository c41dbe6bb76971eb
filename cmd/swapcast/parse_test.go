package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/gagliardetto/solana-go"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser/capture"
)

// parseRun runs `swapcast parse` and returns its lines.
func parseRun(t *testing.T, stdin string, args ...string) (lines []string, stderr string, err error) {
	t.Helper()
	var c parseCmd
	k, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Parse(args); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	err = c.Run(t.Context(), &environ{
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Log: slog.New(slog.DiscardHandler),
	})
	if out.Len() > 0 {
		lines = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	}
	return lines, errs.String(), err
}

func TestParseLines(t *testing.T) {
	key := func(b byte) (k solana.PublicKey) {
		k[31] = b
		return k
	}
	swap := swapcast.Swap{
		Signature: solana.Signature{63: 1}, Slot: 7, Index: 2, Path: swapcast.Path{Outer: 3, Inner: -1},
		DEX: "raydium-v4", Program: key(1), Pool: key(2), Trader: key(3),
		MintIn: key(4), AmountIn: 1<<64 - 1, DecimalsIn: 9, MintOut: key(5), AmountOut: 20, DecimalsOut: 6,
		UserAmountIn: 1<<64 - 1, UserAmountOut: 20,
	}
	full := swap
	full.Path.Inner = 5
	full.UserAmountOut = 19
	full.ReservesKnown, full.ReserveIn, full.ReserveOut = true, 100, 0
	ones := strings.Repeat("1", 31)
	sig := strings.Repeat("1", 63) + "2"
	head := `{"kind":"swap","signature":"` + sig + `","slot":7,"index":2,`
	body := `"dex":"raydium-v4","program":"` + ones + `2","pool":"` + ones + `3","trader":"` + ones + `4","mintIn":"` + ones + `5","amountIn":"18446744073709551615","decimalsIn":9,"mintOut":"` + ones + `6","amountOut":"20","decimalsOut":6`
	for got, want := range map[string]string{
		string(appendSwapLine(nil, &swap)): head + `"path":[3],` + body + "}\n",
		string(appendSwapLine(nil, &full)): head + `"path":[3,5],` + body + `,"userAmountOut":"19","reserveIn":"100","reserveOut":"0"}` + "\n",
		string(appendBalanceLine(nil, &swapcast.BalanceChange{Signature: swap.Signature, Slot: 7, Index: 1, Owner: key(1), Mint: key(2), Pre: 5, Post: 0, Decimals: 6})):        `{"kind":"balance","signature":"` + sig + `","slot":7,"index":1,"owner":"` + ones + `2","mint":"` + ones + `3","pre":"5","post":"0","decimals":6}` + "\n",
		string(appendBalanceLine(nil, &swapcast.BalanceChange{Signature: swap.Signature, Native: true})):                                                                        `{"kind":"balance","signature":"` + sig + `","slot":0,"index":0,"owner":"` + ones + `1","mint":"` + ones + `1","pre":"0","post":"0","decimals":0,"native":true}` + "\n",
		string(appendUnparsedLine(nil, &swapcast.Unparsed{Signature: swap.Signature, Slot: 7, DEX: "pumpfun", Path: swapcast.Path{Outer: 2, Inner: -1}, Reason: "short_data"})): `{"kind":"unparsed","signature":"` + sig + `","slot":7,"dex":"pumpfun","path":[2],"reason":"short_data"}` + "\n",
	} {
		if got != want {
			t.Errorf("line\n%swant\n%s", got, want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("no JSON: %s", got)
		}
	}
}

func kinds(lines []string) map[string]int {
	n := map[string]int{}
	for _, l := range lines {
		kind, _, _ := strings.Cut(strings.TrimPrefix(l, `{"kind":"`), `"`)
		n[kind]++
	}
	return n
}

// TestParseCorpusBlock: from the JSON, from standard input and from a capture
// of it come the same lines, and each is JSON.
func TestParseCorpusBlock(t *testing.T) {
	path := corpusFile(t, "blocks/slot_361774429.getBlock.base64.json")
	lines, stderr, err := parseRun(t, "", path)
	if err != nil || stderr != "" {
		t.Fatal(err, stderr)
	}
	n := kinds(lines)
	t.Logf("%v", n)
	if n["swap"] < 100 || n["balance"] < 2000 || n["swap"]+n["balance"]+n["unparsed"] != len(lines) {
		t.Errorf("kinds: %v", n)
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("no JSON: %s", l)
		}
	}
	blob, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	piped, _, err := parseRun(t, string(blob), "-")
	if err != nil || strings.Join(piped, "\n") != strings.Join(lines, "\n") {
		t.Errorf("standard input gives other lines: %d, %v", len(piped), err)
	}
	if recorded, _, err := parseRun(t, "", captureOf(t, path)); err != nil || strings.Join(recorded, "\n") != strings.Join(lines, "\n") {
		t.Errorf("a capture gives other lines: %d, %v", len(recorded), err)
	}
	only, _, err := parseRun(t, "", "--kinds", "swap", path)
	if err != nil || len(only) != n["swap"] {
		t.Errorf("--kinds swap: %d lines, %v", len(only), err)
	}
	without, _, err := parseRun(t, "", "--no-balances", path)
	if err != nil || len(without) != n["swap"]+n["unparsed"] {
		t.Errorf("--no-balances: %d lines, %v", len(without), err)
	}
}

// captureOf writes a JSON file's updates to a capture file.
func captureOf(t *testing.T, path string) string {
	t.Helper()
	in, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	name := filepath.Join(t.TempDir(), "x.zst")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := capture.NewWriter(f, swapcast.FeedLive)
	if err != nil {
		t.Fatal(err)
	}
	for {
		u, err := in.Next(t.Context())
		if err != nil {
			break
		}
		if err := w.Write(u); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestParseBrokenFiles: each broken file is named with its place, the exit is
// an error, and the good files are parsed all the same.
func TestParseBrokenFiles(t *testing.T) {
	good := corpusFile(t, "tx/3mpAjSPh3w9RZpPZURbV2nxbrykLfEJfPCe4xL2Sba5vwUaHDPYh15ktY5BHY7zRMeoMGNNdQzCiDjy1XSACNSMY.json")
	blob, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := parseRun(t, "", good)
	if err != nil || len(want) == 0 {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	recorded, err := os.ReadFile(captureOf(t, good))
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(blob, []byte(`"postBalances":`), []byte(`"postBalances":[],"was":`), 1)
	if bytes.Equal(wrong, blob) {
		wrong = bytes.Replace(blob, []byte(`"postBalances": `), []byte(`"postBalances": [], "was": `), 1)
	}
	for _, c := range []struct {
		path, text string
		lines      int
	}{
		{put("cut.json", blob[:len(blob)/2]), "JSON after item 0: the text is cut off", 0},
		{put("cutlist.json", append(append([]byte("["), blob...), ',')), "JSON after item 1: the text is cut off", len(want)},
		{put("null.json", []byte("null\n")), "item 1 (ends at byte 4): neither a transaction nor a block (a result of null means: not found)", 0},
		{put("nulls.json", append([]byte("null\r\n"), blob...)), "not found", len(want)},
		{put("barenull.json", []byte("null")), "not found", 0},
		{put("nullish.json", []byte("nullable")), "neither a capture nor JSON of", 0},
		{put("cut.zst", recorded[:len(recorded)-3]), "", len(want)}, // only the checksum is missing
		{put("shorter.zst", recorded[:len(recorded)/2]), "capture is cut off", 0},
		{put("text.json", []byte("hello")), "neither", 0},
		{put("empty.json", nil), "empty", 0},
		{filepath.Join(dir, "absent.json"), "no such file", 0},
		{put("twice.json", append(append([]byte(`{"result":null}`), '\n'), blob...)), "item 1", len(want)},
		{put("wrong.json", wrong), "balance_count", 0},
	} {
		lines, stderr, err := parseRun(t, "", c.path, good)
		if len(lines) != c.lines+len(want) {
			t.Errorf("%s: %d lines, want %d", c.path, len(lines), c.lines+len(want))
		}
		if c.text == "" {
			continue
		}
		if err == nil || errors.As(err, new(usageError)) {
			t.Errorf("%s: error %v, want one that exits with 1", c.path, err)
		}
		if !strings.Contains(stderr, c.path) || !strings.Contains(stderr, c.text) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %q, want one line with %q", c.path, stderr, c.text)
		}
	}
}

func TestParseKinds(t *testing.T) {
	_, _, err := parseRun(t, "", "--kinds", "swap,price", "-")
	var usage usageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), `"price"`) {
		t.Errorf("error %v", err)
	}
}

func BenchmarkParseBlock(b *testing.B) {
	path := filepath.Join("..", "..", "..", "shared", "corpus", "blocks", "slot_361774429.getBlock.base64.json")
	if _, err := os.Stat(path); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		var out bytes.Buffer
		c := parseCmd{Files: []string{path}, Kinds: "swap,balance,unparsed"}
		if err := c.Run(b.Context(), &environ{Stdout: &out, Stderr: os.Stderr, Log: slog.New(slog.DiscardHandler)}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(bytes.Count(out.Bytes(), []byte("\n"))), "lines")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1790, "ns/tx")
}
