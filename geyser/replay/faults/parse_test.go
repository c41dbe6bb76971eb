package faults_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/swapcast/swapcast/geyser/replay/faults"
)

// TestExampleHasEveryFault keeps the documented example valid and complete.
func TestExampleHasEveryFault(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "faults.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := faults.Parse(text); err != nil {
		t.Fatal(err)
	}
	for _, k := range faults.Kinds() {
		if !strings.Contains(string(text), "- "+string(k)+":") {
			t.Errorf("docs/faults.yaml shows no %s", k)
		}
		if !strings.Contains(faults.Help(), string(k)+" ") && !strings.Contains(faults.Help(), string(k)+"\n") {
			t.Errorf("the help tells nothing of %s", k)
		}
	}
}

func TestParse(t *testing.T) {
	s := parse(t, `
seed: 7
endpoint:
- late: {by: 400ms}
endpoints:
  1:
  - cut: {at: 10s, every: 5s, times: 3, with: DATA_LOSS, message: gone, scope: server}
  - withhold_slots: {rate: 0.5, slots: 4}
`)
	if n := len(s.Endpoint(0).Faults); n != 1 {
		t.Errorf("endpoint 0 has %d faults", n)
	}
	e := s.Endpoint(1)
	if len(e.Faults) != 3 || e.Number != 1 || e.Seed == s.Endpoint(0).Seed {
		t.Fatalf("endpoint 1 is %+v", e)
	}
	if f := e.Faults[0]; f.Kind != faults.Late || f.Delay != 400*time.Millisecond {
		t.Errorf("late is %+v", f)
	}
	f := e.Faults[1]
	if f.Status != codes.DataLoss || f.Text != "gone" || !f.Server || f.Line != 7 ||
		f.When != (faults.When{At: 10 * time.Second, HasAt: true, Every: 5 * time.Second, Times: 3}) {
		t.Errorf("cut is %+v", f)
	}
	if f := e.Faults[2]; f.When.ForSlots != 4 || f.When.Rate != 0.5 {
		t.Errorf("withhold_slots is %+v", f)
	}
	if s.CheckEndpoints(2) != nil {
		t.Error("two endpoints are refused")
	}
	if err := s.CheckEndpoints(1); err == nil || !strings.HasPrefix(err.Error(), "line 6: ") {
		t.Errorf("one endpoint: %v", err)
	}
}

// TestParseRefuses: what is wrong, with its line, and nothing else.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "the script is empty",
		"seed: 1\na: b: c":               "line 2: mapping values are not allowed",
		"- 1":                            "line 1: the script must be keys",
		"seed: 1\nsedd: 2":               `line 2: unknown key "sedd"`,
		"seed: -1":                       `line 1: seed: "-1" is no whole number`,
		"seed: 1\nseed: 2":               `line 2: the script: "seed" comes twice`,
		"seed: 1\n---\nseed: 2":          "one document",
		"chain:\n  fork: 1":              "line 2: chain must be a list",
		"chain:\n- fork: {rate: 1}\n- x": `line 3: chain: there is no fault "x"`,
		"chain:\n- cut: {at: 1s}":        "line 2: chain: cut belongs under endpoint",
		"endpoint:\n- fork: {at: 1s}":    "line 2: endpoint: fork belongs under chain",
		"endpoint:\n- cut":               "line 2: cut: says not when",
		"endpoint:\n- cut: {}":           "line 2: cut: says not when",
		"endpoint:\n- cut: {at: 10}":     `line 2: cut: at: "10" is no time`,
		"endpoint:\n- cut: {at: -1s}":    `line 2: cut: at: "-1s" is no time`,
		"endpoint:\n- cut: {at: [1s]}":   "line 2: cut: at must be one value",
		"endpoint:\n- cut:\n    at: 1s\n    evry: 2s":                          `line 4: cut: unknown key "evry"`,
		"endpoint:\n- cut: {at: 1s, for: 2s}":                                  `line 2: cut: unknown key "for"`,
		"endpoint:\n- cut: {at: 1s, rate: 0.1}":                                "line 2: cut: timed in two ways",
		"endpoint:\n- cut: {at: 1s, every_slots: 3}":                           "line 2: cut: timed in two ways",
		"endpoint:\n- cut: {rate: 1.5}":                                        `line 2: cut: rate: "1.5" is no number from 0 to 1`,
		"endpoint:\n- cut: {rate: 10%}":                                        `line 2: cut: rate: "10%" is no number`,
		"endpoint:\n- cut: {every_slots: 0}":                                   `line 2: cut: every_slots: "0" is no whole number from 1`,
		"endpoint:\n- cut: {every_slots: 10s}":                                 `line 2: cut: every_slots: "10s" is no whole number`,
		"endpoint:\n- cut: {at_slot: 5}":                                       "line 2: cut: at_slot needs scope: server",
		"endpoint:\n- cut: {at_slot: 5, after_slots: 2, scope: server}":        "line 2: cut: at_slot and after_slots",
		"endpoint:\n- cut: {at: 1s, with: BROKEN}":                             `line 2: cut: with: "BROKEN" is no gRPC status`,
		"endpoint:\n- cut: {at: 1s, with: TCP, message: bye}":                  "line 2: cut: with TCP there is no message",
		"endpoint:\n- cut: {at: 1s, scope: all}":                               `line 2: cut: scope: "all" is none of stream, server`,
		"endpoint:\n- cut: {every: 10us}":                                      "line 2: cut: every must be at least 1ms",
		"endpoint:\n- cut: &x {at: 1s}\n- cut: *x":                             "line 3: cut",
		"endpoint:\n- late":                                                    "line 2: late: by must be a time",
		"endpoint:\n- late: {by: 1m}":                                          "line 2: late: by must be a time",
		"endpoint:\n- late: {by: 1s, for: 2s}":                                 "line 2: late: says how long and not when",
		"endpoint:\n- late: {by: 1s, at: 1s, for: 2s, for_slots: 3}":           "line 2: late: for and for_slots",
		"endpoint:\n- late: {by: 1s, scope: server}":                           `line 2: late: unknown key "scope"`,
		"endpoint:\n- slow_down: {at: 1s}":                                     "line 2: slow_down: needs bytes_per_second or",
		"endpoint:\n- slow_down: {bytes_per_second: 1, updates_per_second: 1}": "line 2: slow_down: needs bytes_per_second or",
		"endpoint:\n- silent_filter: {at: 1s}":                                 "line 2: silent_filter: needs for_slots",
		"endpoint:\n- withhold_slots: {at: 1s, slots: 2, for: 1s}":             "line 2: withhold_slots: slots, for and for_slots",
		"endpoint:\n- refuse_auth: {times: 3}":                                 "line 2: refuse_auth: times needs",
		"endpoint:\n- refuse_auth: {rate: 1, for: 3s}":                         "line 2: refuse_auth: rate is per attempt",
		"endpoints:\n  zero:\n  - lagged: {at: 1s}":                            `line 2: endpoints: "zero" is no number`,
		"endpoints: [1]": "line 1: endpoints must be keys",
		"endpoint:\n- {cut: {at: 1s}, late: {by: 1s}}": "line 2: endpoint: a fault is one name",
	} {
		_, err := faults.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q\n gives %v\n want  %s", text, err, want)
			continue
		}
		var known *faults.Error
		if !errors.As(err, &known) {
			t.Errorf("%q gives a %T", text, err)
		}
	}
}

// FuzzParse: whatever is given, an error of one line or a script.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "faults.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("chain:\n- fork: {rate: 1}\n"))
	f.Add([]byte("endpoints: {0: [cut: {at: 1s}]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := faults.Parse(text)
		switch {
		case err == nil:
			_ = s.Endpoint(0)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("an error of several lines: %q", err)
		}
	})
}
