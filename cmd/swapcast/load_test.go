package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/swapcast/swapcast/loadtest/report"
	"github.com/swapcast/swapcast/loadtest/swarm"
)

// load runs `swapcast load` with args.
func load(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return command(t, t.Context(), append([]string{"load"}, args...)...)
}

// awaitMarket waits until the server at a WebSocket's address has prices of n tokens and
// has seen somebody trade.
func awaitMarket(t *testing.T, ws string, n int) {
	t.Helper()
	server, err := swarm.NewServer(ws, "")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		assets, err := server.Assets(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if len(assets) < n {
			continue
		}
		wallets, err := server.Wallets(t.Context(), assets, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(wallets) == 3 {
			return
		}
	}
	t.Fatal("no market within 30 s")
}

// A whole server under a small load, as a user would start both: tokens and wallets are
// found, nothing is missing, the files are written, and two runs stand side by side.
func TestLoad(t *testing.T) {
	s := serveForTest(t, "--source", "market:?seed=1&tps=200")
	at, admin := "ws://"+s.public.Addr().String()+"/ws", "http://"+s.admin.Addr().String()
	awaitMarket(t, at, 8)
	folder := t.TempDir()
	common := []string{"--url", at, "--admin", admin, "-c", "30", "--ramp", "500ms", "-d", "4s", "--tokens", "8", "--tokens-each", "3", "--api-key", "very-secret"}
	code, out, errs := load(t, append(common, "--mix", "streams=2,multi=2,balances=1", "--report", folder)...)
	if code != exitOK || !strings.Contains(out, "passed") || !strings.Contains(out, "the server's market is simulated") {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	var texts []string
	for _, name := range []string{"report.json", "report.html", "report.txt"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
		if bytes.Contains(text, []byte("very-secret")) {
			t.Errorf("%s holds the API key", name)
		}
	}
	rep, err := report.Read(strings.NewReader(texts[0]))
	if err != nil {
		t.Fatal(err)
	}
	if rep.Hold.Connections != 30 || rep.Hold.Messages == 0 || rep.Gaps.Unexplained != 0 || rep.Server == nil || rep.Server.Cores == 0 {
		t.Errorf("hold %+v, gaps %+v, server %+v", rep.Hold, rep.Gaps, rep.Server)
	}
	code, out, errs = load(t, append(common, "--window-ms", "500", "--baseline", filepath.Join(folder, "report.json"))...)
	if code != exitOK || !strings.Contains(out, "baseline") || !strings.Contains(out, "ratio") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
	// A limit that cannot be met fails the run.
	code, out, _ = load(t, append(common, "--max-p99", "1us")...)
	if code != exitFailure || !strings.Contains(out, "BAD p99 is") || !strings.Contains(out, "FAILED") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestLoadUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	if err := os.WriteFile(file, []byte(`{"schema":99}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const mint = "So11111111111111111111111111111111111111112"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"scenario":     {[]string{"--mix", "everything"}, `no scenario is named "everything"`},
		"remote":       {[]string{"--url", "ws://192.0.2.1:8080/ws"}, "give --allow-remote"},
		"scheme":       {[]string{"--url", "http://127.0.0.1:1/ws"}, "plain ws://"},
		"admin":        {[]string{"--admin", "localhost"}, "--admin"},
		"asset":        {[]string{"--assets", "abc"}, `--assets "abc"`},
		"twice":        {[]string{"--assets", mint + "," + mint}, "is there twice"},
		"no file":      {[]string{"--assets", "@/nowhere"}, "--assets: open /nowhere"},
		"connections":  {[]string{"--assets", mint, "-c", "0", "--url", "ws://127.0.0.1:1/ws"}, "--connections 0"},
		"duration":     {[]string{"--assets", mint, "-d", "0s", "--url", "ws://127.0.0.1:1/ws"}, "--duration must be above 0"},
		"schema":       {[]string{"--assets", mint, "--url", "ws://127.0.0.1:1/ws", "--baseline", file}, "schema 99"},
		"no tokens":    {[]string{"--tokens", "0"}, "--tokens 0"},
		"no such flag": {[]string{"--vus", "3"}, "unknown flag --vus"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := load(t, c.args...)
			if code != exitUsage || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d, %q; want %q", code, errs, c.want)
			}
		})
	}
}

func TestLoadHelp(t *testing.T) {
	code, out, _ := load(t, "--help")
	for _, want := range []string{"Examples:", "--mix", "--storm", "slow: as multi", "Exit code 0", "SWAPCAST_MIX"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("help lacks %q", want)
		}
	}
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if _, all, _ := command(t, t.Context(), "--help"); strings.Contains(all, "load-worker") {
		t.Error("the help lists load-worker")
	}
}

// Progress is a line each five seconds where nobody watches, and a bar where somebody does.
func TestLoadProgress(t *testing.T) {
	seconds := []report.Second{{T: 0, Phase: "ramp"}, {T: 3, Phase: "ramp"}, {T: 5, Phase: "hold", Connections: 7, Messages: 9, Latency: report.Quantiles{P50: 1500}, Trouble: 2, Server: &report.Sample{Cores: 0.5, RSS: 3 << 20}}}
	var plain, watched bytes.Buffer
	lines, bar := &loadProgress{to: &plain, total: 10}, &loadProgress{to: &watched, total: 10, terminal: true}
	for _, s := range seconds {
		lines.show(s)
		bar.show(s)
	}
	lines.end()
	bar.end()
	if got := plain.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "hold   5s  7 connections  9 messages/s  p50 1.5 ms") || !strings.Contains(got, "0.50 cores, 3 MiB  TROUBLE 2") {
		t.Errorf("plain:\n%s", got)
	}
	if got := watched.String(); strings.Count(got, "\r") != 3 || !strings.Contains(got, "[##############..........] hold") || !strings.HasSuffix(got, "\n") {
		t.Errorf("bar:\n%q", got)
	}
}
