package tokens

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lengths that CleanText leaves, in characters. Metaplex allows 10 and 32
// bytes, Token-2022 has no bound.
const (
	MaxSymbol = 16
	MaxName   = 48
)

// maxMarks is how many combining marks in a row are kept: enough for any
// writing, too few to draw over the lines above and below.
const maxMarks = 2

// CleanText makes a text that a stranger wrote fit to be shown in one line:
// valid UTF-8 of at most limit characters, without control and formatting
// characters (bidirectional overrides, zero-width ones, tags), private and
// unassigned ones, line breaks, invisible letters and piles of combining marks.
// White space becomes single spaces, none at the ends. It is not HTML: '<' and
// '&' stay.
func CleanText(s string, limit int) string {
	// A character that is kept has at most 4 bytes, one that is dropped costs
	// time: look at no more than could be needed.
	if most := 16 * limit; len(s) > most {
		s = s[:most]
	}
	var b strings.Builder
	var kept, marks int
	var space bool // a space is due before the next character
	for _, r := range s {
		switch {
		case r == utf8.RuneError || r == 0:
			continue
		case unicode.IsSpace(r) || blank(r):
			space = kept > 0
			continue
		case unicode.Is(unicode.M, r):
			if marks++; marks > maxMarks || kept == 0 || space {
				continue
			}
			b.WriteRune(r)
			continue
		case !unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S):
			continue
		}
		if space {
			if kept+1 >= limit {
				return b.String()
			}
			b.WriteByte(' ')
			kept, space = kept+1, false
		}
		if kept >= limit {
			return b.String()
		}
		b.WriteRune(r)
		kept, marks = kept+1, 0
	}
	return b.String()
}

// blank reports characters that are letters or symbols by their class and show
// nothing: Hangul fillers and the empty Braille pattern.
func blank(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u3164', '\uffa0', '\u2800':
		return true
	default:
		return false
	}
}
