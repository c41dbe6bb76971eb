package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/swapcast/swapcast/report"
	"github.com/swapcast/swapcast/stream"
	"github.com/swapcast/swapcast/stream/wire"
)

// onConn has a connection reported; nil where nothing is.
func (s *server) onConn() func(stream.ConnInfo) stream.ConnHooks {
	if s.report == nil {
		return nil
	}
	return func(info stream.ConnInfo) stream.ConnHooks {
		c := &connReport{report: s.report, info: info, opened: time.Now()}
		if !s.report.Traced(info.TestID) {
			return stream.ConnHooks{Panic: func(v any) { s.report.Panic(c.scope(), v) }}
		}
		if c.info.Trace == "" {
			c.info.Trace = report.NewTrace()
		}
		c.who = c.scope()
		return stream.ConnHooks{
			Request: c.request,
			Panic:   func(v any) { s.report.Panic(c.who, v) },
			End:     c.end,
		}
	}
}

// connReport is what is told of one connection.
type connReport struct {
	// static
	report *report.Reporter
	info   stream.ConnInfo
	who    *report.Who
	opened time.Time

	mu sync.Mutex // guards what follows: the shard and the reader call request
	connSteps
}

// connSteps are what a connection has done.
type connSteps struct {
	last     []stream.RequestInfo // the newest lastSteps
	requests int
	refused  int
	told     []wire.Code // of errors, each once
}

// lastSteps is how many messages the report of a connection's end looks back.
const lastSteps = 15

// scope is whose the events are.
func (c *connReport) scope() *report.Who {
	transport, scenario := "websocket", c.info.Scenario
	if c.info.SSE {
		transport = "sse"
	}
	if scenario == "" && c.info.TestID != "" {
		scenario = "unnamed" // so that a test's events can be told from others by either tag
	}
	return &report.Who{
		TestID: c.info.TestID, Scenario: scenario, UserID: c.info.VUID, Trace: c.info.Trace,
		Tags: map[string]string{"transport": transport, "conn_id": strconv.FormatUint(c.info.ID, 10)},
	}
}

// request tells of one message: a transaction, and an error where it was refused.
// A connection that makes the same mistake again is not told of again.
func (c *connReport) request(i stream.RequestInfo) {
	unread := i.Code == wire.RateLimited
	c.mu.Lock()
	c.requests++
	again := false
	if i.Code != "" {
		c.refused++
		if again = slices.Contains(c.told, i.Code); !again {
			c.told = append(c.told, i.Code)
		}
	}
	if !unread || !again {
		if len(c.last) == lastSteps {
			c.last = slices.Delete(c.last, 0, 1)
		}
		c.last = append(c.last, i)
	}
	c.mu.Unlock()
	if !unread {
		c.report.Report(report.Transaction, func() *report.Record { return requestRecord(c.who, i) })
	}
	switch {
	case i.Code == "":
	case again:
		c.report.Repeated(report.Failure)
	default:
		c.report.Report(report.Failure, func() *report.Record {
			return &report.Record{
				Who: c.who, Level: report.Warning, Type: "refused: " + string(i.Code), Text: step(i), End: i.Done,
				Tags: requestTags(i), ContextName: "request", Context: requestContext(i),
			}
		})
	}
}

// end tells how the connection went. Nothing is told after it.
func (c *connReport) end(e stream.ConnEnd) {
	c.mu.Lock()
	steps := c.connSteps
	c.mu.Unlock()
	ended := time.Now()
	c.report.Report(report.Message, func() *report.Record {
		rec := &report.Record{
			Who: c.who, Text: "connection closed", Level: endLevel(e.Code), End: ended,
			Tags:        map[string]string{"close_code": strconv.Itoa(e.Code)},
			ContextName: "connection",
			Context: map[string]any{
				"duration_ms": e.Duration.Milliseconds(), "messages_sent": e.Sent, "conflated": e.Conflated,
				"close_code": e.Code, "close_reason": e.Reason, "requests": steps.requests, "refused": steps.refused,
				"window_ms": c.info.Window.Milliseconds(), "batch": c.info.Batch,
			},
			Crumbs: []report.Crumb{{At: c.opened, Category: "connection", Text: "open"}},
		}
		if missing := steps.requests - len(steps.last); missing > 0 {
			rec.Crumbs = append(rec.Crumbs, report.Crumb{At: c.opened, Category: "request", Text: fmt.Sprintf("%d more before these", missing)})
		}
		for _, i := range steps.last {
			crumb := report.Crumb{At: i.Done, Category: "request", Text: step(i)}
			if i.Code != "" {
				crumb.Level = report.Warning
			}
			rec.Crumbs = append(rec.Crumbs, crumb)
		}
		rec.Crumbs = append(rec.Crumbs, report.Crumb{
			At: ended, Category: "connection", Level: endLevel(e.Code),
			Text: fmt.Sprintf("closed with %d (%s) after %s, %d messages sent, %d conflated", e.Code, e.Reason, e.Duration.Round(time.Millisecond), e.Sent, e.Conflated),
		})
		return rec
	})
}

// endLevel tells ends that are in order from those that are somebody's fault.
func endLevel(code int) report.Level {
	switch wire.CloseCode(code) {
	case wire.CloseInternalError:
		return report.Error
	case wire.CloseSlowConsumer, wire.ClosePolicy, wire.CloseTooBig, wire.CloseProtocolError, wire.CloseOverload, wire.CloseBadRequest, wire.CloseBadKey:
		return report.Warning
	default:
		return report.Info
	}
}

// step is a message in one line.
func step(i stream.RequestInfo) string {
	text := fmt.Sprintf("%s %s: %d served, %d refused", action(i), i.Channel, i.Assets, i.Refused)
	if i.Channel == "" {
		text = action(i)
	}
	if i.Code != "" {
		text += ", " + string(i.Code)
	}
	return text
}

func action(i stream.RequestInfo) string {
	if i.Action == "" {
		return "message"
	}
	return i.Action
}

func requestTags(i stream.RequestInfo) map[string]string {
	tags := map[string]string{"action": action(i)}
	for name, value := range map[string]string{"channel": i.Channel, "commitment": i.Commitment, "code": string(i.Code)} {
		if value != "" {
			tags[name] = value
		}
	}
	return tags
}

func requestContext(i stream.RequestInfo) map[string]any {
	return map[string]any{"assets": i.Assets, "refused": i.Refused, "resumed": i.Resumed, "code": string(i.Code)}
}

// requestRecord makes the transaction of one message.
func requestRecord(who *report.Who, i stream.RequestInfo) *report.Record {
	status := report.StatusOK
	switch {
	case i.Code == wire.TooManySubscriptions:
		status = report.StatusExhausted
	case i.Code != "":
		status = report.StatusInvalid
	}
	rec := &report.Record{
		Who: who, Name: "ws " + action(i), Op: "websocket.server", Begun: i.Begun, End: i.Done, Status: status,
		Tags: requestTags(i), ContextName: "request", Context: requestContext(i),
		Spans: []report.Span{{Op: "parse", Text: "read the message and find what it names", Begun: i.Begun, End: i.Parsed, Status: report.StatusOK}},
	}
	if i.Taken.IsZero() {
		rec.Spans[0].Status = status
		return rec
	}
	rec.Spans = append(rec.Spans,
		report.Span{Op: "queue", Text: "wait for the shard", Begun: i.Parsed, End: i.Taken, Status: report.StatusOK},
		report.Span{Op: "serve", Text: "change the subscriptions and queue what they begin with", Begun: i.Taken, End: i.Done, Status: status},
	)
	return rec
}
