// Package report is what a load run found out: its figures, their form as JSON, as text
// and as one HTML page with plots, and the same beside those of an earlier run.
//
// The HTML page loads nothing: its plots are SVG, its style is in it, and it has no
// script. The JSON is what `swapcast load --baseline` reads; Schema grows when a field
// changes its meaning, and another one is refused.
//
// Everything here is a value or a pure function; it has no goroutine and no state.
package report
