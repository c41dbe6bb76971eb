package rpcpool

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Options configure a Pool. The zero value of each field but URLs works.
type Options struct {
	// URLs are the endpoints, http or https, in order of preference. At least
	// one.
	URLs []string
	// PerSecond is how often each may be asked. Default 4: mainnet's public
	// endpoint allows an address 40 requests of one method in 10 s (and 100 in
	// all). Burst is how many may come at once; default twice PerSecond.
	PerSecond float64
	Burst     int
	// Timeout bounds one attempt, from the request to the end of the answer.
	// Default 15 s; a block has several megabytes.
	Timeout time.Duration
	// Attempts bounds what one request may try in all, over all endpoints.
	// Default 4, or two for each URL where that is more.
	Attempts int
	// BackoffMin and BackoffMax are the bounds of the wait that grows with the
	// failures in a row: a random time up to BackoffMin after the first, up to
	// twice that after the second. A Retry-After is believed up to BackoffMax.
	// Defaults 500 ms and 30 s.
	BackoffMin time.Duration
	BackoffMax time.Duration
	// BreakAfter is the number of failures in a row that opens an endpoint's
	// breaker. Default 5.
	BreakAfter int
	// MaxBody bounds an answer, in bytes. Default 128 MiB: mainnet's largest
	// blocks have some 30 MB as JSON.
	MaxBody int64
	// Transport carries the requests; nil makes one of net/http's.
	Transport http.RoundTripper

	Logger  *slog.Logger // nil logs nothing
	Metrics *Metrics     // nil counts nothing
}

// Defaults of Options.
const (
	DefaultPerSecond  = 4
	DefaultTimeout    = 15 * time.Second
	DefaultAttempts   = 4
	DefaultBackoffMin = 500 * time.Millisecond
	DefaultBackoffMax = 30 * time.Second
	DefaultBreakAfter = 5
	DefaultMaxBody    = 128 << 20
)

func (o Options) withDefaults() (Options, error) {
	if len(o.URLs) == 0 {
		return o, errors.New("rpcpool: no URL")
	}
	if o.PerSecond < 0 || o.PerSecond != o.PerSecond || o.Burst < 0 || o.Timeout < 0 || o.Attempts < 0 ||
		o.BackoffMin < 0 || o.BackoffMax < 0 || o.BreakAfter < 0 || o.MaxBody < 0 {
		return o, errors.New("rpcpool: a rate, a size or a time is below 0")
	}
	setDefault(&o.PerSecond, DefaultPerSecond)
	setDefault(&o.Burst, max(1, int(2*o.PerSecond)))
	setDefault(&o.Timeout, DefaultTimeout)
	setDefault(&o.Attempts, max(DefaultAttempts, 2*len(o.URLs)))
	setDefault(&o.BackoffMin, DefaultBackoffMin)
	setDefault(&o.BackoffMax, DefaultBackoffMax)
	setDefault(&o.BreakAfter, DefaultBreakAfter)
	setDefault(&o.MaxBody, DefaultMaxBody)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 8
		o.Transport = t
	}
	return o, nil
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// CheckURL says what is wrong with an endpoint's URL, without repeating it.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("not a URL") // url.Error would show it
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it must begin with http:// or https://")
	case u.Hostname() == "":
		return errors.New("the host is missing")
	}
	return nil
}

func parseURL(i int, raw string) (*url.URL, error) {
	if err := CheckURL(raw); err != nil {
		return nil, fmt.Errorf("rpcpool: URL %d of the list: %w", i+1, err)
	}
	return url.Parse(raw)
}
