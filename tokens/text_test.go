package tokens_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/swapcast/swapcast/tokens"
)

func TestCleanText(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":                    {"Jupiter", "Jupiter"},
		"padded with zeros":        {"JUP\x00\x00\x00\x00", "JUP"},
		"only zeros":               {"\x00\x00\x00", ""},
		"white space":              {"  dog \t\r\n wif\u00a0hat\u2003 ", "dog wif hat"},
		"line separators":          {"a\u2028b\u2029c", "a b c"},
		"right to left override":   {"USD\u202eCDSU", "USDCDSU"},
		"isolates and embeddings":  {"\u2066a\u2067b\u2068c\u2069\u202ad\u202be\u202c", "abcde"},
		"zero width":               {"U\u200bS\u200cD\u200d\ufeffC\u2060", "USDC"},
		"soft hyphen":              {"US\u00adDC", "USDC"},
		"tags":                     {"a\U000E0041\U000E007F", "a"},
		"private use":              {"a\ue000b\U000F0000", "ab"},
		"noncharacter":             {"a\ufffe\uffffb", "ab"},
		"broken UTF-8":             {"a\xff\xfe\xc0b\xed\xa0\x80", "ab"},
		"terminal escapes":         {"\x1b[31mred\x1b[0m\x07\x08", "[31mred[0m"},
		"fillers":                  {"\u3164\u115f\u1160\uffa0\u2800", ""},
		"filler inside":            {"a\u3164b", "a b"},
		"emoji":                    {"🐶 WIF 🎩", "🐶 WIF 🎩"},
		"emoji with variation":     {"❤️", "❤️"},
		"writings":                 {"币安人生 ไทย हिन्दी العر", "币安人生 ไทย हिन्दी العر"},
		"pile of marks":            {"a" + strings.Repeat("\u0301", 50) + "b", "a\u0301\u0301b"},
		"marks without a letter":   {"\u0301\u0302x", "x"},
		"mark behind space":        {"a \u0301b", "a b"},
		"HTML stays text":          {"<b>&amp;", "<b>&amp;"},
		"too long":                 {strings.Repeat("x", 300), strings.Repeat("x", 20)},
		"too long at a space":      {strings.Repeat("x", 19) + " yy", strings.Repeat("x", 19)},
		"too long in wide letters": {strings.Repeat("币", 300), strings.Repeat("币", 20)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tokens.CleanText(c.in, 20); got != c.want {
				t.Errorf("%q: got %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// TestCleanTextProperty: whatever comes in, what goes out can be shown, and
// cleaning it again changes nothing.
func TestCleanTextProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "in")
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		checkText(t, tokens.CleanText(in, limit), limit)
	})
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkText(t failer, s string, limit int) {
	t.Helper()
	letters := 0
	for _, r := range s {
		if r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r) || unicode.Is(unicode.C, r) {
			t.Fatalf("%q holds %U", s, r)
		}
		if !unicode.Is(unicode.M, r) {
			letters++
		}
	}
	if letters > limit || len(s) > 12*limit {
		t.Fatalf("%q has %d characters and %d bytes, limit %d", s, letters, len(s), limit)
	}
	if strings.Join(strings.Fields(s), " ") != s {
		t.Fatalf("%q has loose white space", s)
	}
	if again := tokens.CleanText(s, limit); again != s {
		t.Fatalf("cleaned again, %q becomes %q", s, again)
	}
}
