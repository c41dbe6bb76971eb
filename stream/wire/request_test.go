package wire

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Request{
		`{"action":"subscribe","assets":"m"}`:                                     {Action: "subscribe", Channel: "prices", Assets: []string{"m"}},
		`{"action":"subscribe","assets":["m","n"],"id":"7"}`:                      {Action: "subscribe", Channel: "prices", Assets: []string{"m", "n"}, ID: `"7"`},
		`{"action":"subscribe","assets":["m",5,null,["x", {}]],"id":"7"}`:         {Action: "subscribe", Channel: "prices", Assets: []string{"m", "5", "null", `["x", {}]`}, ID: `"7"`},
		`{"action":"subscribe","channel":"trades","assets":["m"]}`:                {Action: "subscribe", Channel: "trades", Assets: []string{"m"}},
		`{"action":"subscribe","channel":"candles","assets":[],"interval":"1s"}`:  {Action: "subscribe", Channel: "candles", Interval: "1s"},
		`{"action":"subscribe","channel":"balances","wallets":["o"]}`:             {Action: "subscribe", Channel: "balances", Wallets: []string{"o"}},
		`{"action":"subscribe","channel":"balances","wallets":"o"}`:               {Action: "subscribe", Channel: "balances", Wallets: []string{"o"}},
		" \t\r\n{ \"action\" : \"ping\" , \"id\" : 9 } \n":                        {Action: "ping", Channel: "prices", ID: "9"},
		`{"action":"ping","id":-12}`:                                              {Action: "ping", Channel: "prices", ID: "-12"},
		`{"action":"ping","id":"\u00e9\n"}`:                                       {Action: "ping", Channel: "prices", ID: `"\u00e9\n"`},
		`{"\u0061ction":"p\u0069ng"}`:                                             {Action: "ping", Channel: "prices"},
		`{"action":"ping","id":null,"channel":null,"assets":null,"since":null}`:   {Action: "ping", Channel: "prices"},
		`{"action":"ping","new":{"a":[1,-2.5e7,true,false,null,"\"",{}]},"x":[]}`: {Action: "ping", Channel: "prices"},
		`{"action":"subscribe","assets":["m"],"commitment":"confirmed","since":{"epoch":"k3x9","seqs":{"m":1841}},"id":"10"}`: {
			Action: "subscribe", Channel: "prices", Assets: []string{"m"}, Commitment: "confirmed", ID: `"10"`,
			Since: &Since{Epoch: "k3x9", Seqs: map[string]uint64{"m": 1841}},
		},
	} {
		got, err := ParseRequest([]byte(text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func TestParseRequestRefuses(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `{"action":"ping","x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for text, reason := range map[string]string{
		"":                                     "a JSON object is expected",
		"null":                                 "a JSON object is expected",
		"[]":                                   "a JSON object is expected",
		`"subscribe"`:                          "a JSON object is expected",
		"{":                                    "a string is expected",
		"{}":                                   "action is missing",
		`{"action":""}`:                        "action is missing",
		`{"action":null}`:                      "action is missing",
		`{"action":"ping"`:                     "',' or '}'",
		`{"action":"ping",}`:                   "a string is expected",
		`{"action" "ping"}`:                    "':' is expected",
		`{action:"ping"}`:                      "a string is expected",
		`{"action":"ping"}{}`:                  "more than one",
		`{"action":"ping"} x`:                  "more than one",
		`{"action":1}`:                         "a string is expected",
		`{"action":"ping","action":"ping"}`:    "action is given twice",
		`{"action":"ping","\u0069d":1,"id":2}`: "id is given twice",
		`{"action":"ping","id":1.5}`:           "id is a string or an integer",
		`{"action":"ping","id":1e3}`:           "id is a string or an integer",
		`{"action":"ping","id":{}}`:            "id is a string or an integer",
		`{"action":"ping","id":true}`:          "id is a string or an integer",
		`{"action":"ping","id":99999999999999999999}`:                   "id is a string or an integer",
		`{"action":"ping","id":"` + strings.Repeat("x", 200) + `"}`:     "id is too long",
		`{"action":"ping","id":"\q"}`:                                   "bad escape",
		`{"action":"p\u12g4ing"}`:                                       "bad escape",
		"{\"action\":\"pi\nng\"}":                                       "control character",
		`{"action":"ping`:                                               "without an end",
		`{"action":"ping\`:                                              "without an end",
		`{"action":"subscribe","assets":7}`:                             "a list of strings",
		`{"action":"subscribe","assets":{}}`:                            "a list of strings",
		`{"action":"subscribe","assets":["a"`:                           "',' or ']'",
		`{"action":"subscribe","assets":["a",]}`:                        "a JSON value is expected",
		`{"action":"ping","since":[]}`:                                  "since is an object",
		`{"action":"ping","since":{"epoch":1}}`:                         "a string is expected",
		`{"action":"ping","since":{"epoch":"a","epoch":"b"}}`:           "epoch is given twice",
		`{"action":"ping","since":{"seqs":{},"seqs":{}}}`:               "seqs is given twice",
		`{"action":"ping","since":{"seqs":[]}}`:                         "since holds",
		`{"action":"ping","since":{"seqs":{"m":-1}}}`:                   "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":1.5}}}`:                  "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":1e3}}}`:                  "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":"1"}}}`:                  "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":null}}}`:                 "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":1,"m":1}}}`:              "given twice",
		`{"action":"ping","since":{"seqs":{"m":18446744073709551616}}}`: "a seq is a whole number",
		`{"action":"ping","since":{"seqs":{"m":1}`:                      "',' or '}'",
		`{"action":"ping","x":tru}`:                                     "a JSON value is expected",
		`{"action":"ping","x":01}`:                                      "a JSON value is expected",
		`{"action":"ping","x":-}`:                                       "a JSON value is expected",
		`{"action":"ping","x":}`:                                        "a JSON value is expected",
		`{"action":"ping","x":{"a" 1}}`:                                 "':' is expected",
		`{"action":"ping","x":{1:1}}`:                                   "a field's name",
		`{"action":"ping","x":[1 2]}`:                                   "',' is expected",
		"{\"action\":\"ping\",\"x\":\"\xff\"}":                          "UTF-8",
		deep(8):                                                         "nested too deeply",
		deep(30000):                                                     "nested too deeply",
	} {
		_, err := ParseRequest([]byte(text))
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.80s: %v, want %s", text, err, reason)
		}
	}
	if _, err := ParseRequest([]byte(deep(7))); err != nil {
		t.Errorf("seven deep: %v", err)
	}
}

// The id comes back with an error that stands behind it, so that the client
// can tell which of its requests was bad.
func TestParseRequestKeepsTheIDOfABadRequest(t *testing.T) {
	t.Parallel()
	r, err := ParseRequest([]byte(`{"id":"7","action":1}`))
	if err == nil || r.ID != `"7"` {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzParseRequest holds the parser against the standard library: what it takes
// is JSON that means the same there, and what the library takes with the right
// shape, it takes.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`{"action":"subscribe","assets":["m","n"],"id":"7","since":{"epoch":"e","seqs":{"m":1}}}`,
		`{"action":"subscribe","since":{"x":[{}],"epoch":null,"seqs":{"m":18446744073709551615,"\u006e":0}},"wallets":"w"}`, `{"action":"x","since":null}`,
		`{"action":"ping","id":-9,"x":[{"y":[1.5e-3,null,true]}]}`, `{"action":"ping"`, `{"a":"\ud800\"`, "{\"action\":\"\xff\"}", `{"action":"x","id":1,"id":2}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRequest(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "bad request: ") || !utf8.ValidString(err.Error()) {
				t.Errorf("error text %q", err)
			}
			return
		}
		var std struct {
			Action     string          `json:"action"`
			Channel    *string         `json:"channel"`
			Assets     json.RawMessage `json:"assets"`
			Interval   string          `json:"interval"`
			Commitment string          `json:"commitment"`
			ID         json.RawMessage `json:"id"`
			Since      *struct {
				Epoch string            `json:"epoch"`
				Seqs  map[string]uint64 `json:"seqs"`
			} `json:"since"`
		}
		var exact map[string]json.RawMessage
		if err := json.Unmarshal(data, &exact); err != nil {
			t.Fatalf("%q was taken and is not JSON: %v", data, err)
		}
		for name := range exact { // the library's structs take any case, the protocol does not
			for _, known := range []string{"action", "channel", "assets", "interval", "commitment", "id", "since"} {
				if name != known && strings.EqualFold(name, known) {
					return
				}
			}
		}
		var since map[string]json.RawMessage
		if err := json.Unmarshal(exact["since"], &since); err == nil {
			for name := range since {
				if name != "epoch" && name != "seqs" && (strings.EqualFold(name, "epoch") || strings.EqualFold(name, "seqs")) {
					return
				}
			}
		}
		if err := json.Unmarshal(data, &std); err != nil {
			t.Fatalf("%q was taken, the library says %v", data, err)
		}
		if std.Action != r.Action || (std.Channel != nil && *std.Channel != r.Channel) || std.Interval != r.Interval || std.Commitment != r.Commitment {
			t.Errorf("%q: %+v against %+v", data, r, std)
		}
		if (std.Since == nil) != (r.Since == nil) || r.Since != nil && (std.Since.Epoch != r.Since.Epoch || !maps.Equal(std.Since.Seqs, r.Since.Seqs)) {
			t.Errorf("%q: since %+v against %+v", data, r.Since, std.Since)
		}
		if id := string(std.ID); id != "null" && id != string(r.ID) {
			t.Errorf("%q: id %q against %q", data, r.ID, id)
		}
		if r.ID != "" && !json.Valid([]byte(r.ID)) {
			t.Errorf("%q: id %q", data, r.ID)
		}
	})
}
