package k6_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// scripts are all scenarios, made small. old_style.js is run by `make k6`.
var scripts = map[string][]string{
	"price_streams.js": {"VUS=5", "RAMP=1s", "HOLD=6s", "DOWN=3s", "SESSION_MIN=3s", "SESSION_MAX=4s"},
	"multi_token.js":   {"VUS=3", "RAMP=1s", "HOLD=6s", "DOWN=3s", "SESSION_MIN=3s", "SESSION_MAX=4s", "TOKENS_EACH=3", "SAMPLE=5"},
	"balances.js":      {"VUS=5", "RAMP=1s", "HOLD=8s", "DOWN=1s", "SESSION_MIN=4s", "SESSION_MAX=5s", "WALLETS_EACH=50"},
	"churn.js":         {"VUS=5", "EVERY=5s", "WITHIN=1s", "STORMS=1", "BACK_AFTER=30s"},
	"spike.js":         {"BASE_VUS=2", "PEAK_VUS=5", "SURGE=1s", "STAY=6s", "BEFORE=2s"},
	"slow_readers.js":  {"VUS=4", "SLOW_PERCENT=25", "TOKENS_EACH=2", "RAMP=1s", "HOLD=9s", "DOWN=3s"},
	"soak.js":          {"VUS=3", "DURATION=6s", "SESSION_MIN=3s", "SESSION_MAX=4s"},
	"mixed.js":         {"VUS=3", "TRADE_VUS=3", "RAMP=1s", "HOLD=6s", "DOWN=3s", "SESSION_MIN=3s", "SESSION_MAX=4s", "QUOTES=2", "PORTFOLIOS=2", "LOOKUPS=2", "QUOTE_P99_MS=60000", "PORTFOLIO_P99_MS=60000", "MIN_HTTP_OK=0.5", "MAX_DROPPED=1000"},
	"cloud.js":         {"K6_CLOUD_PROJECT_ID=1", "VUS=2", "RAMP=1s", "HOLD=4s", "DOWN=3s", "SESSION_MIN=3s", "SESSION_MAX=4s"}, // locally: the options of the cloud are read and change nothing
}

// What is slow here is the machine, not the server.
var patient = []string{"P95_MS=60000", "P99_MS=60000"}

func TestEveryScriptIsRun(t *testing.T) {
	files, err := filepath.Glob("*.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, f := range files {
		if _, ok := scripts[f]; !ok && f != "lib.js" && f != "old_style.js" {
			t.Errorf("%s has no line in scripts", f)
		}
	}
}

func TestScripts(t *testing.T) {
	k6 := tool(t)
	at := serve(t)
	for name, env := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, summary := run(t, k6, name, append(append(env, patient...), "URL=ws://"+at+"/ws"))
			if code != 0 || !strings.Contains(out, "\npassed\n") {
				t.Fatalf("exit code %d\n%s", code, out)
			}
			if strings.Contains(out, "interrupted") {
				t.Errorf("sessions were cut off:\n%s", out)
			}
			for _, metric := range []string{"updates", "checks", "sessions_ok", "update_latency"} {
				if summary.Metrics[metric].Values == nil {
					t.Errorf("the summary has no %s", metric)
				}
			}
			if n := summary.Metrics["updates"].Values["count"]; n == 0 {
				t.Error("no updates")
			}
		})
	}
}

// A server that does wrong fails the run, by the threshold that is about it.
func TestFaultsAreFound(t *testing.T) {
	k6 := tool(t)
	const mint = "So11111111111111111111111111111111111111112"
	const ack = `{"type":"subscribed","id":"1","channel":"prices","assets":["` + mint + `"],"epoch":"e","recovered":false,"errors":[]}`
	price := func(seq int, more string) string {
		return fmt.Sprintf(`{"type":"price","assetId":"%s","price":1.5,"seq":%d,"ts":%d%s}`, mint, seq, time.Now().UnixMilli(), more)
	}
	begin := func(rest ...string) func() []string {
		return func() []string { return append([]string{ack, price(4, `,"snapshot":true`), price(5, "")}, rest...) }
	}
	for name, c := range map[string]struct {
		messages func() []string
		end      websocket.StatusCode
		crossed  string // the metric whose threshold is; "" for none
	}{
		"sound":          {begin(price(6, "")), 0, ""},
		"a gap":          {begin(price(8, "")), 0, "updates_missing"},
		"twice":          {begin(price(5, "")), 0, "updates_disorder"},
		"no price":       {begin(strings.Replace(price(6, ""), `"price":1.5,`, "", 1)), 0, "checks"},
		"somebody's":     {begin(strings.Replace(price(6, ""), mint, mint[1:]+"3", 1)), 0, "checks"},
		"late":           {begin(price(6, `,"ts":1000`)), 0, "update_latency"}, // the last one counts,
		"no JSON":        {begin("hello"), 0, "checks"},
		"closed":         {begin(), 4408, "sessions_ok"},
		"no answer":      {func() []string { return begin()()[1:] }, 0, "sessions_ok"},
		"no snapshot":    {func() []string { return []string{ack, price(5, "")} }, 0, "checks"},
		"nothing to say": {func() []string { return []string{ack, price(4, `,"snapshot":true`)} }, 0, "updates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := liar(t, c.messages, c.end)
			code, out, _ := run(t, k6, "price_streams.js", append([]string{"URL=ws" + strings.TrimPrefix(at, "http") + "/ws", "ASSETS=" + mint, "VUS=1", "RAMP=0s", "HOLD=3s", "DOWN=1s", "SESSION_MIN=3s", "SESSION_MAX=3s"}, patient...))
			if c.crossed == "" {
				if code != 0 {
					t.Errorf("exit code %d\n%s", code, out)
				}
				return
			}
			// 99 is k6's exit code for crossed thresholds.
			if line := regexp.MustCompile(`thresholds on metrics '([^']*)'`).FindString(out); code != 99 || !strings.Contains(line, c.crossed) {
				t.Errorf("exit code %d, %q; want %s to be crossed\n%s", code, line, c.crossed, out)
			}
		})
	}
}

func tool(t *testing.T) string {
	t.Helper()
	k6, err := filepath.Abs("../../.tools/k6")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(k6); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("k6 is missing: %v; scripts/tools.sh k6 installs it", err)
		}
		t.Skip("k6 is missing: scripts/tools.sh k6 installs it")
	}
	if testing.Short() {
		t.Skip("runs k6 for half a minute")
	}
	return k6
}

type summary struct {
	Metrics map[string]struct {
		Values map[string]float64 `json:"values"`
	} `json:"metrics"`
}

func run(t *testing.T, k6, script string, env []string) (code int, out string, s summary) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "summary.json")
	cmd := exec.CommandContext(t.Context(), k6, "run", "--no-usage-report", "--quiet", script)
	cmd.Env = append(os.Environ(), append(env, "SUMMARY="+file)...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(file); err != nil {
		t.Errorf("summary: %v\n%s", err, text)
	} else if err := json.Unmarshal(written, &s); err != nil {
		t.Errorf("summary: %v", err)
	}
	return cmd.ProcessState.ExitCode(), string(text), s
}

// serve starts `swapcast serve` and returns its address once there is a market.
func serve(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	binary := filepath.Join(folder, "swapcast")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/swapcast/swapcast/cmd/swapcast")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	log, err := os.Create(filepath.Join(folder, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve: %v", err)
		}
		log.Close()
	})
	at := regexp.MustCompile(`page=http://([^/]+)/`)
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		text, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		if m := at.FindSubmatch(text); m != nil && traded(string(m[1])) {
			return string(m[1])
		}
	}
	text, _ := os.ReadFile(log.Name())
	t.Fatalf("no market within a minute\n%s", text)
	return ""
}

// traded reports whether a server has seen somebody trade SOL.
func traded(at string) bool {
	answer, err := http.Get("http://" + at + "/v1/trades/So11111111111111111111111111111111111111112?limit=100")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	var list struct {
		Trades []struct{} `json:"trades"`
	}
	return json.NewDecoder(answer.Body).Decode(&list) == nil && len(list.Trades) == 100
}

// liar is a server that sends what it is told to.
func liar(t *testing.T, messages func() []string, end websocket.StatusCode) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		c, err := websocket.Accept(w, q, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		if _, _, err := c.Read(q.Context()); err != nil {
			return
		}
		for _, m := range messages() {
			if c.Write(q.Context(), websocket.MessageText, []byte(m)) != nil {
				return
			}
		}
		if end != 0 {
			c.Close(end, "")
			return
		}
		c.Read(q.Context()) // until the client leaves
	}))
	t.Cleanup(server.Close)
	return server.URL
}
