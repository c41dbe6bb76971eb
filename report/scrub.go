package report

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getsentry/sentry-go"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// leastSecret is the length of the shortest secret that is looked for inside other
// texts: of shorter ones, every text would be full.
const leastSecret = 6

// scrubber takes secrets out of events. It reads each text of each event, so that
// what is dear is only done where a text can hold what it looks for.
type scrubber struct {
	known *strings.Replacer
	exact []string // also the short ones

	userinfo, address, bearer, assigned, base58, bytes *regexp.Regexp
}

func newScrubber(secrets []string) *scrubber {
	s := &scrubber{
		// An address says where; its path and query may be a provider's key, and what
		// stands before the @ is one.
		userinfo: regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s@"']+@`),
		address:  regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^/\s"'?#]+)[/?#][^\s"']+`),
		bearer:   regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+`),
		assigned: regexp.MustCompile(`(?i)\b([a-z0-9-]*(?:api[-_]?key|token|secret|passw(?:or)?d|authori[sz]ation|cookie|private[-_]?key|sentry_key))(["']?\s*[=:]\s*["']?)[^\s"'&,;}]+`),
		// 64 bytes in base58: a private key looks just as a signature does.
		base58: regexp.MustCompile(`\b[1-9A-HJ-NP-Za-km-z]{80,90}\b`),
		// The same as a list of bytes, as wallets keep it.
		bytes: regexp.MustCompile(`\[\s*\d{1,3}\s*(?:,\s*\d{1,3}\s*){31,}\]`),
	}
	var pairs []string
	for _, secret := range slices.Compact(slices.Sorted(slices.Values(secrets))) {
		if secret == "" {
			continue
		}
		s.exact = append(s.exact, secret)
		if len(secret) < leastSecret {
			continue
		}
		pairs = append(pairs, secret, redacted)
		if escaped := url.QueryEscape(secret); escaped != secret {
			pairs = append(pairs, escaped, redacted)
		}
	}
	s.known = strings.NewReplacer(pairs...)
	return s
}

// secretName tells whether a field's value is a secret, whatever it looks like, by
// the last word of its name.
func secretName(name string) bool {
	last := name[strings.LastIndexAny(name, "-_. ")+1:]
	switch strings.ToLower(last) {
	case "key", "apikey", "token", "secret", "authorization", "authorisation", "auth", "password", "passwd", "cookie", "credential", "credentials", "dsn":
		return true
	default:
		return false
	}
}

// text is a text without its secrets.
func (s *scrubber) text(t string) string {
	switch {
	case slices.Contains(s.exact, t):
		return redacted
	case len(t) < leastSecret:
		return t
	}
	t = s.known.Replace(t)
	if strings.Contains(t, "://") {
		t = s.userinfo.ReplaceAllString(t, "${1}"+redacted+"@")
		t = s.address.ReplaceAllString(t, "${1}/"+redacted)
	}
	if strings.ContainsAny(t, "=: ") && speaksOfSecrets(t) {
		t = s.bearer.ReplaceAllString(t, "${1} "+redacted)
		t = s.assigned.ReplaceAllString(t, "${1}${2}"+redacted)
	}
	if len(t) >= 64 { // the shortest that either can be
		t = s.base58.ReplaceAllString(t, redacted)
		t = s.bytes.ReplaceAllString(t, redacted)
	}
	return t
}

// speaksOfSecrets tells whether a word of bearer or assigned is in a text.
func speaksOfSecrets(t string) bool {
	lower := strings.ToLower(t)
	return slices.ContainsFunc([]string{"bearer", "basic", "key", "token", "secret", "passw", "authori", "cookie"}, func(word string) bool {
		return strings.Contains(lower, word)
	})
}

// value is text for whatever stands in a context: what is neither text nor number
// is written out first.
func (s *scrubber) value(name string, v any) any {
	if secretName(name) {
		return redacted
	}
	switch v := v.(type) {
	case nil, bool, int, int32, int64, uint8, uint16, uint32, uint64, float32, float64, sentry.TraceID, sentry.SpanID, sentry.SpanStatus:
		return v
	case string:
		return s.text(v)
	case map[string]any:
		return s.values(v)
	case []any:
		list := make([]any, len(v))
		for i, one := range v {
			list[i] = s.value("", one)
		}
		return list
	default:
		return s.text(fmt.Sprint(v))
	}
}

// values returns a copy: who filled the map may still read it.
func (s *scrubber) values(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	clean := make(map[string]any, len(m))
	for name, v := range m {
		clean[s.text(name)] = s.value(name, v)
	}
	return clean
}

func (s *scrubber) texts(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	clean := make(map[string]string, len(m))
	for name, v := range m {
		if secretName(name) {
			v = redacted
		}
		clean[s.text(name)] = s.text(v)
	}
	return clean
}

// event is sentry's BeforeSend and BeforeSendTransaction.
func (s *scrubber) event(e *sentry.Event, _ *sentry.EventHint) *sentry.Event {
	for _, t := range []*string{
		&e.Message, &e.Transaction, &e.ServerName, &e.Logger, &e.Environment, &e.Release, &e.Dist, &e.Platform, &e.Sdk.Name, &e.Sdk.Version,
	} {
		*t = s.text(*t)
	}
	e.EventID, e.Level = sentry.EventID(s.text(string(e.EventID))), Level(s.text(string(e.Level)))
	// Nobody sets them.
	e.Request, e.Attachments, e.Modules, e.DebugMeta, e.Threads = nil, nil, nil, nil, nil
	e.CheckIn, e.MonitorConfig, e.Sdk.Packages, e.Sdk.Integrations = nil, nil, nil, nil
	e.Tags = s.texts(e.Tags)
	e.User = sentry.User{ID: s.text(e.User.ID)}
	for i := range e.Fingerprint {
		e.Fingerprint[i] = s.text(e.Fingerprint[i])
	}
	contexts := make(map[string]sentry.Context, len(e.Contexts))
	for name, c := range e.Contexts {
		contexts[s.text(name)] = s.values(c)
	}
	e.Contexts = contexts
	for _, b := range e.Breadcrumbs {
		b.Message, b.Category, b.Type, b.Data = s.text(b.Message), s.text(b.Category), s.text(b.Type), s.values(b.Data)
		b.Level = Level(s.text(string(b.Level)))
	}
	for i := range e.Exception {
		x := &e.Exception[i]
		x.Type, x.Value, x.Module, x.Mechanism = s.text(x.Type), s.text(x.Value), s.text(x.Module), nil
		s.stack(x.Stacktrace)
	}
	for _, span := range e.Spans {
		span.Op, span.Description, span.Name = s.text(span.Op), s.text(span.Description), s.text(span.Name)
		span.Data, span.Tags = s.values(span.Data), s.texts(span.Tags)
	}
	return e
}

// stack has places of our code, and no values.
func (s *scrubber) stack(t *sentry.Stacktrace) {
	if t == nil {
		return
	}
	for i := range t.Frames {
		f := &t.Frames[i]
		f.Vars, f.PreContext, f.ContextLine, f.PostContext = nil, nil, "", nil
		f.Function, f.Module = s.text(f.Function), s.text(f.Module)
		f.Filename, f.AbsPath, f.Symbol = s.text(f.Filename), s.text(f.AbsPath), s.text(f.Symbol)
		f.Package, f.Platform = "", ""
		f.InstructionAddr, f.AddrMode, f.SymbolAddr, f.ImageAddr = "", "", "", ""
	}
}
