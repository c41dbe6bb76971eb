package report

import "github.com/getsentry/sentry-go"

// ScrubForTest is what becomes of an event before it is sent.
func ScrubForTest(secrets []string, e *sentry.Event) *sentry.Event {
	return newScrubber(secrets).event(e, nil)
}
