package main

import (
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/swapcast/swapcast"
)

// writeQuote prints a quote for a person: every source in a table, then who won and
// why.
func writeQuote(w io.Writer, r *quoteReply, in, out *swapcast.Token) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SOURCE\tOUTCOME\tANSWER\tSCORE\tCONFIDENCE\tAMOUNT\tRELIABILITY\tWARNINGS\tMS\t")
	for i := range r.Sources {
		s := &r.Sources[i]
		name := "  " + printable(s.Source)
		if s.Source == r.Source {
			name = "* " + printable(s.Source)
		}
		answer, score, ms := "", "\t\t\t", ""
		if s.OutAmount != "" {
			answer = whole(s.OutAmount, out)
		}
		if s.Score != nil {
			score = fmt.Sprintf("%d\t%d\t+%d\t+%d", s.Score.Total, s.Score.Confidence, s.Score.Amount, s.Score.Reliability)
		}
		if s.ElapsedMs != nil {
			ms = strconv.FormatInt(*s.ElapsedMs, 10)
		}
		outcome := printable(s.Outcome)
		if s.Reason != "" {
			outcome += ": " + printable(s.Reason)
		}
		var warnings []string
		for _, warning := range s.Warnings {
			warnings = append(warnings, printable(warning.Code))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t\n", name, outcome, answer, score, strings.Join(warnings, " "), ms)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	text.WriteByte('\n')
	tellWinner(&text, r, in, out)
	lines := strings.Split(text.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n"))
	return err
}

// tellWinner writes the sentences below the table.
func tellWinner(w io.Writer, r *quoteReply, in, out *swapcast.Token) {
	if r.Source == "" {
		fmt.Fprintf(w, "No quote after %d ms: %s.\n", r.ElapsedMs, printable(r.Detail))
		for i := range r.Sources {
			if s := &r.Sources[i]; s.Detail != "" {
				fmt.Fprintf(w, "  %s: %s\n", printable(s.Source), printable(s.Detail))
			}
		}
		return
	}
	fmt.Fprintf(w, "%s wins: %s.\n", printable(r.Source), whyWon(r))
	fmt.Fprintf(w, "%s brings %s, at least %s", whole(r.InAmount, in), whole(r.OutAmount, out), whole(r.OtherAmountThreshold, out))
	if r.PriceImpactPct != nil {
		if v, err := strconv.ParseFloat(*r.PriceImpactPct, 64); err == nil {
			fmt.Fprintf(w, "; price impact %s%%", strconv.FormatFloat(v*100, 'f', 2, 64))
		}
	}
	fmt.Fprintf(w, "; %d hop(s), %d leg(s); valid until %s; %d ms.\n", r.Hops, r.Legs, time.UnixMilli(r.ExpiresAt).UTC().Format("15:04:05.000Z"), r.ElapsedMs)
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "Warning %s: %s.\n", printable(warning.Code), printable(warning.Message))
	}
	if !r.Executable {
		fmt.Fprintln(w, "An indication only: nobody trades at it.")
	}
	if note := feedNote(swapcast.Feed(r.Feed)); note != "" {
		fmt.Fprintln(w, note)
	}
}

// whyWon compares the winner with the next best.
func whyWon(r *quoteReply) string {
	var next *sourceReply
	others := false
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Source == r.Source {
			continue
		}
		others = others || s.Outcome != "off" && s.Outcome != "skipped"
		if s.Score != nil && (next == nil || s.Score.Total > next.Score.Total) {
			next = s
		}
	}
	switch {
	case next != nil && next.Score.Total > r.Score:
		return fmt.Sprintf("it can be traded, and the quote of %s (score %d) cannot", printable(next.Source), next.Score.Total)
	case next != nil:
		return fmt.Sprintf("score %d, before %s with %d", r.Score, printable(next.Source), next.Score.Total)
	case others:
		return "nobody else has a quote"
	case len(r.Warnings) == 0 && r.Executable:
		return "its quote is trusted, so that no other was asked"
	}
	return "nobody else is there to ask"
}

// whole is raw units as whole tokens with the symbol, or as they are where the
// decimals are not known.
func whole(raw string, t *swapcast.Token) string {
	n, ok := new(big.Int).SetString(raw, 10)
	if !ok || !t.Known {
		return printable(raw) + " raw units of " + tokenName(t)
	}
	digits := n.String()
	if d := int(t.Decimals); d > 0 {
		if len(digits) <= d {
			digits = strings.Repeat("0", d+1-len(digits)) + digits
		}
		digits = digits[:len(digits)-d] + "." + digits[len(digits)-d:]
	}
	return digits + " " + tokenName(t)
}

// printable takes what a terminal might obey, or what turns text around, out of a
// stranger's text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
