package client

import (
	"encoding/json"
	"strconv"
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

// retryAfter reads the header of that name where it is a number of seconds.
func retryAfter(value string) (time.Duration, bool) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, longestHint), true
}

// reconnectHint reads the reason of a close with 1001, as wire.AppendReconnectHint
// writes it: how long this client, and no other, should wait.
func reconnectHint(reason string) (time.Duration, bool) {
	var hint struct {
		ReconnectMS *int64 `json:"reconnectMs"`
	}
	if err := json.Unmarshal([]byte(reason), &hint); err != nil || hint.ReconnectMS == nil || *hint.ReconnectMS < 0 {
		return 0, false
	}
	return time.Duration(min(*hint.ReconnectMS, longestHint.Milliseconds())) * time.Millisecond, true
}
