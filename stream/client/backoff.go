package client

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// backoff is the time until the next connection: full jitter under a bound
// that doubles with each failed try, so that clients that were cut off together
// do not come back together.
func backoff(attempt int, minimum, maximum time.Duration, random float64) time.Duration {
	bound := minimum
	for range attempt {
		if bound >= maximum/2 {
			bound = maximum
			break
		}
		bound *= 2
	}
	return time.Duration(random * float64(bound))
}

// longestHint bounds a server's reconnect hint: a client that is told to stay
// away for hours was told wrongly.
const longestHint = 2 * time.Minute

// hintPattern finds the number in reasons such as "going away, reconnect in
// 1500ms" and "reconnect_ms=1500". It is compiled once: a constant in all but
// syntax.
//
//nolint:gochecknoglobals // never written
var hintPattern = regexp.MustCompile(`(?i)(?:reconnect|retry)[^0-9]{0,24}?(?:_ms\D{0,3})?(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s\b|sec)?`)

// retryAfter reads the header of that name where it is a number of seconds.
func retryAfter(value string) (time.Duration, bool) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, longestHint), true
}

// reconnectHint reads the jittered hint from the reason of a close with 1001.
// A bare number is milliseconds.
func reconnectHint(reason string) (time.Duration, bool) {
	m := hintPattern.FindStringSubmatch(reason)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	unit := time.Millisecond
	if strings.HasPrefix(strings.ToLower(m[2]), "s") {
		unit = time.Second
	}
	return min(time.Duration(n*float64(unit)), longestHint), true
}
