package main

import (
	"context"
	"log/slog"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/swapcast/swapcast/report"
)

// reportFlags say what a Sentry server is told.
type reportFlags struct {
	SentryDSN             string  `name:"sentry-dsn" help:"Report to the Sentry server of this DSN: transactions, ends of connections, errors and panics. Better given as SWAPCAST_SENTRY_DSN." placeholder:"https://KEY@HOST/PROJECT" group:"Reports"`
	SentrySampleRate      float64 `help:"Part of the connections and requests without a test_id that is reported, 0 to 1. Those with one always are, as far as the budget goes." default:"0.01" group:"Reports"`
	SentryEventsPerSecond float64 `help:"Budget: events a second that are reported, with bursts of twenty times as many; what is more is dropped and counted. Faults of the server have a reserve of their own." default:"50" group:"Reports"`
	SentryEnvironment     string  `help:"Environment that events have; default production, and for what is played here simulated or replay." placeholder:"NAME" group:"Reports"`
}

// check refuses values that the flags' own types let pass.
func (f *reportFlags) check() error {
	switch {
	case !(f.SentrySampleRate >= 0 && f.SentrySampleRate <= 1):
		return usagef("--sentry-sample-rate %v: must be from 0 to 1", f.SentrySampleRate)
	case !(f.SentryEventsPerSecond > 0 && f.SentryEventsPerSecond <= 10_000):
		return usagef("--sentry-events-per-second %v: must be above 0 and at most 10000", f.SentryEventsPerSecond)
	}
	return nil
}

// openReport makes the reporter; nil without a DSN.
func (c *serveCmd) openReport(registry prometheus.Registerer) (*report.Reporter, error) {
	metrics := report.NewMetrics(registry) // without a DSN too: 0 is an answer
	if c.SentryDSN == "" {
		return nil, nil //nolint:nilnil // a nil reporter reports nothing
	}
	version, commit := buildInfo()
	r, err := report.New(report.Options{
		DSN:         c.SentryDSN,
		Release:     "swapcast@" + version + "+" + commit,
		Environment: c.environment(),
		SampleRate:  c.SentrySampleRate,
		PerSecond:   c.SentryEventsPerSecond,
		Secrets:     secrets(c),
		Metrics:     metrics,
	})
	if err != nil {
		return nil, usagef("--sentry-dsn: %v", err)
	}
	return r, nil
}

// environment is what events have as theirs.
func (c *serveCmd) environment() string {
	switch source := strings.Join(c.Source, " "); {
	case c.SentryEnvironment != "":
		return c.SentryEnvironment
	case strings.HasPrefix(source, "market:"):
		return "simulated"
	case strings.HasPrefix(source, "replay:"):
		return "replay"
	default:
		return "production"
	}
}

// hear has what is logged as a warning or worse reported, and what the parts that
// talk to others log of their connections.
func hear(r *report.Reporter, log *slog.Logger) *slog.Logger {
	return slog.New(r.Handler(log.Handler(), "geyser", "quote", "rpc"))
}

// reporting begins to send; what it returns ends that.
func (s *server) reporting() (end func()) {
	s.report.Start()
	return func() { s.endReport(flushPatience) }
}

// endReport sends what waits.
func (s *server) endReport(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.report.Close(ctx)
}

// lastWords reports a panic of a part before it ends the program, as it must: the
// state that it left is not to be served.
func (s *server) lastWords(part string) {
	if v := recover(); v != nil {
		s.report.Panic(&report.Who{Tags: map[string]string{"part": part}}, v)
		s.endReport(flushPatience)
		panic(v)
	}
}

// flushPatience is how long the end of the program waits for the Sentry server.
const flushPatience = 2 * time.Second

// secretFlag is the name of a flag whose value nobody else may see, or an address
// that may have a secret in it.
var secretFlag = regexp.MustCompile(`(Token|Key|URL|DSN|Secret|Password)$`) //nolint:gochecknoglobals // a constant

// secrets are the values of all flags of that kind, and of addresses the parts that
// may be keys. It goes by the names of the fields, so that a new flag is not
// forgotten.
func secrets(flags any) []string {
	var found []string
	add := func(value string) {
		u, err := url.Parse(value)
		if err != nil || u.Host == "" {
			found = append(found, value)
			return
		}
		password, both := u.User.Password()
		found = append(found, password)
		// A name that stands alone is a token, but for a Redis, where it is that of a
		// user; beside a password it is a word such as "default", which texts are full of.
		if name := u.User.Username(); name != "" && len(name) >= leastNameKey || !both && !strings.HasPrefix(u.Scheme, "redis") {
			found = append(found, name)
		}
		for _, values := range u.Query() {
			found = append(found, values...)
		}
		for part := range strings.SplitSeq(u.Path, "/") {
			if len(part) >= leastPathKey {
				found = append(found, part)
			}
		}
	}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			switch {
			case f.Kind() == reflect.Struct:
				walk(f)
			case !secretFlag.MatchString(name):
			case f.Kind() == reflect.String:
				add(f.String())
			case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
				for j := range f.Len() {
					add(f.Index(j).String())
				}
			}
		}
	}
	walk(reflect.ValueOf(flags).Elem())
	return found
}

// leastNameKey is the length of the shortest user name that may be a key though it has
// a password beside it.
const leastNameKey = 16

// leastPathKey is the length of the shortest part of a path that may be a key: what
// is shorter is a word such as "v2" or "hermes".
const leastPathKey = 12
