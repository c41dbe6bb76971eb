package report

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Handler returns next with an ear: what is logged as a warning or an error is
// reported too, and what components log as information, where they are named. A
// record with the attribute "panic" is left out: who recovers a panic reports it,
// with its scope. On nil it returns next.
func (r *Reporter) Handler(next slog.Handler, components ...string) slog.Handler {
	if r == nil {
		return next
	}
	return &handler{Handler: next, reporter: r, chatty: components}
}

// handler is static; WithAttrs and WithGroup make copies.
type handler struct {
	slog.Handler
	reporter  *Reporter
	chatty    []string
	component string
	attrs     []slog.Attr // their keys with the groups that they are in
	group     string
}

// Enabled is slog.Handler's.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.wanted(level) || h.Handler.Enabled(ctx, level)
}

func (h *handler) wanted(level slog.Level) bool {
	return level >= slog.LevelWarn || level >= slog.LevelInfo && slices.Contains(h.chatty, h.component)
}

// Handle is slog.Handler's.
func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	if h.wanted(record.Level) {
		h.report(record)
	}
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}

func (h *handler) report(record slog.Record) {
	attrs := slices.Clip(h.attrs)
	panicked := false
	record.Attrs(func(a slog.Attr) bool {
		panicked = panicked || a.Key == "panic"
		attrs = append(attrs, h.named(a))
		return true
	})
	if panicked {
		return
	}
	// Written out at once: what the attributes refer to may change.
	rec := logged(record.Message, record.Level, record.Time, attrs)
	build := func() *Record { return rec }
	if record.Level >= slog.LevelError {
		h.reporter.Fault(build)
	} else {
		h.reporter.Report(Message, build)
	}
}

// logged makes a record of what was logged. Short words become tags, by which one
// can search.
func logged(text string, level slog.Level, at time.Time, attrs []slog.Attr) *Record {
	rec := &Record{Text: text, End: at, Tags: map[string]string{}, ContextName: "log", Context: map[string]any{}}
	var cause string
	for _, a := range attrs {
		v := a.Value.Resolve()
		switch name := a.Key; {
		case slices.Contains([]string{"component", "endpoint", "source", "reason", "part"}, name):
			rec.Tags[name] = v.String()
		case v.Kind() == slog.KindInt64, v.Kind() == slog.KindUint64, v.Kind() == slog.KindFloat64, v.Kind() == slog.KindBool:
			rec.Context[name] = v.Any()
		default:
			if err, ok := v.Any().(error); ok && cause == "" {
				cause = err.Error()
			}
			rec.Context[name] = v.String()
		}
	}
	switch {
	case level >= slog.LevelError:
		rec.Level, rec.Type = Error, text
		rec.Text = cause
		if cause == "" {
			rec.Text = text
		}
	case level >= slog.LevelWarn:
		rec.Level = Warning
	default:
		rec.Level = Info
	}
	return rec
}

func (h *handler) named(a slog.Attr) slog.Attr {
	if h.group != "" {
		a.Key = h.group + "." + a.Key
	}
	return a
}

// WithAttrs is slog.Handler's.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.Handler = h.Handler.WithAttrs(attrs)
	c.attrs = slices.Clip(h.attrs)
	for _, a := range attrs {
		if a.Key == "component" && h.group == "" {
			c.component = a.Value.String()
		}
		c.attrs = append(c.attrs, h.named(a))
	}
	return &c
}

// WithGroup is slog.Handler's.
func (h *handler) WithGroup(name string) slog.Handler {
	c := *h
	c.Handler = h.Handler.WithGroup(name)
	c.group = strings.TrimPrefix(h.group+"."+name, ".")
	return &c
}
