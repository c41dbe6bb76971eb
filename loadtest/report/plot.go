package report

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// line is one curve of a plot. A NaN is a hole.
type line struct {
	Name   string
	Class  string // s0 to s4, b0 to b4 for the baseline's
	values []float64
}

// plot is one picture: seconds across, values up.
type plot struct {
	Title string
	Lines []line
	log   bool
	write func(float64) string
	marks []mark
}

// mark is a moment that all plots show.
type mark struct {
	at   int
	text string
}

// Size of a plot, in SVG units.
const (
	plotWidth   = 640
	plotHeight  = 190
	plotLeft    = 66
	plotRight   = 8
	plotTop     = 8
	plotBottom  = 22
	plotTicks   = 4
	logDecades  = 9
	smallestLog = 1.0
)

// SVG draws the plot.
func (p plot) SVG() template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(p.Title))
	end := 1
	for _, l := range p.Lines {
		end = max(end, len(l.values)-1)
	}
	x := func(t float64) float64 {
		return plotLeft + t/float64(end)*(plotWidth-plotLeft-plotRight)
	}
	low, high := p.reach()
	y := func(v float64) float64 {
		at := (v - low) / (high - low)
		if p.log {
			at = (math.Log10(max(v, smallestLog)) - math.Log10(low)) / (math.Log10(high) - math.Log10(low))
		}
		return plotHeight - plotBottom - at*(plotHeight-plotTop-plotBottom)
	}
	for _, v := range p.ticks(low, high) {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, plotWidth-plotRight, y(v), y(v), plotLeft-6, y(v)+4, template.HTMLEscapeString(p.write(v)))
	}
	step := niceStep(float64(end) / 8)
	for t := 0.0; t <= float64(end); t += step {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s s</text>`, x(t), plotHeight-6, strconv.FormatFloat(t, 'f', -1, 64))
	}
	for _, m := range p.marks {
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%d" y2="%d"><title>%s</title></line>`,
			x(float64(m.at)), x(float64(m.at)), plotTop, plotHeight-plotBottom, template.HTMLEscapeString(m.text))
	}
	for _, l := range p.Lines {
		fmt.Fprintf(&b, `<path class="%s" d="%s"><title>%s</title></path>`, l.Class, path(l.values, x, y), template.HTMLEscapeString(l.Name))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}

// path is a curve, broken at its holes.
func path(values []float64, x, y func(float64) float64) string {
	var b strings.Builder
	pen := "M"
	for t, v := range values {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x(float64(t)), y(v))
		if pen == "M" { // so that a value between two holes is seen
			fmt.Fprintf(&b, "h.1")
		}
		pen = "L"
	}
	return b.String()
}

// reach is the range of the values' axis.
func (p plot) reach() (low, high float64) {
	low = math.Inf(1)
	for _, l := range p.Lines {
		for _, v := range l.values {
			if math.IsNaN(v) {
				continue
			}
			high = max(high, v)
			if v > 0 {
				low = min(low, v)
			}
		}
	}
	if p.log {
		if high < smallestLog {
			return smallestLog, 10
		}
		low = math.Pow(10, math.Floor(math.Log10(max(low, smallestLog))))
		high = math.Pow(10, math.Ceil(math.Log10(high)))
		if high <= low {
			high = low * 10
		}
		return low, high
	}
	if high == 0 {
		return 0, 1
	}
	step := niceStep(high / plotTicks)
	return 0, math.Ceil(high/step) * step
}

func (p plot) ticks(low, high float64) []float64 {
	var at []float64
	if p.log {
		for v := low; v <= high*1.001 && len(at) <= logDecades; v *= 10 {
			at = append(at, v)
		}
		return at
	}
	step := niceStep(high / plotTicks)
	for v := 0.0; v <= high*1.001; v += step {
		at = append(at, v)
	}
	return at
}

// niceStep rounds up to 1, 2 or 5 times a power of ten.
func niceStep(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*base*1.0001 {
			return f * base
		}
	}
	return 10 * base
}
