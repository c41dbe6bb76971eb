// The dashboards as code: `go run ./deploy/grafana` writes dashboards/*.json beside
// this file, in the form that Grafana imports and provisions. dashboards.go says what
// is on them; this file knows Grafana's model and nothing of swapcast. A test holds
// the files against this code, and each query against a running server's metrics.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if err := write(filepath.Join("deploy", "grafana", "dashboards")); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

// write makes every dashboard a file of folder.
func write(folder string) error {
	for _, d := range dashboards() {
		text, err := json.MarshalIndent(d.model(), "", "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, d.name+".json"), append(text, '\n'), 0o644); err != nil { //nolint:gosec // everybody may read it
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

// dashboard is one page.
type dashboard struct {
	name, title, about string
	rows               []row
}

// row is a heading and what is below it.
type row struct {
	title  string
	panels []panel
}

// panel is one picture.
type panel struct {
	title, about string
	unit         string // of Grafana: s, ops, bytes, percentunit, short, Bps
	single       bool   // a number rather than a graph
	stacked      bool
	queries      []query
}

// query is a line of a graph, or several by what legend names.
type query struct{ expr, legend string }

// selected is where a query's selectors stand for the instances that are looked at.
const selected = "$SEL"

// object is JSON.
type object map[string]any

// Sizes on Grafana's grid, which is 24 wide.
const (
	gridWidth   = 24
	graphWidth  = 8
	graphHeight = 8
	statWidth   = 4
	statHeight  = 4
)

// model is a dashboard as Grafana has it.
func (d *dashboard) model() object {
	var panels []object
	id, y := 0, 0
	next := func() int { id++; return id }
	for _, r := range d.rows {
		panels = append(panels, object{
			"id": next(), "type": "row", "title": r.title, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": gridWidth, "h": 1},
		})
		y++
		x, height := 0, 0
		for i := range r.panels {
			p := &r.panels[i]
			w, h := graphWidth, graphHeight
			if p.single {
				w, h = statWidth, statHeight
			}
			if x+w > gridWidth {
				x, y, height = 0, y+height, 0
			}
			panels = append(panels, p.model(next(), object{"x": x, "y": y, "w": w, "h": h}))
			x, height = x+w, max(height, h)
		}
		y += height
	}
	return object{
		"uid": "swapcast-" + d.name, "title": d.title, "description": d.about, "tags": []string{"swapcast"},
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "10s",
		"time": object{"from": "now-30m", "to": "now"}, "timezone": "", "panels": panels,
		"annotations": object{"list": []object{}},
		"links": []object{{
			"type": "dashboards", "title": "swapcast", "tags": []string{"swapcast"}, "asDropdown": true, "includeVars": true, "keepTime": true,
		}},
		"templating": object{"list": []object{
			{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"},
			{
				"name": "instance", "type": "query", "label": "Server", "multi": true, "includeAll": true, "allValue": ".+",
				"datasource": source(), "refresh": 2, "sort": 1,
				"query":   object{"query": "label_values(swapcast_build_info, instance)", "refId": "instance"},
				"current": object{"text": "All", "value": "$__all"},
			},
		}},
	}
}

func source() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func (p *panel) model(id int, grid object) object {
	var targets []object
	for i, q := range p.queries {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "datasource": source(), "editorMode": "code",
			"expr": strings.ReplaceAll(q.expr, selected, `instance=~"$instance"`), "legendFormat": q.legend,
			"instant": p.single, "range": !p.single,
		})
	}
	m := object{
		"id": id, "title": p.title, "description": p.about, "datasource": source(), "gridPos": grid, "targets": targets,
	}
	if p.single {
		m["type"] = "stat"
		m["fieldConfig"] = object{"defaults": object{"unit": p.unit}, "overrides": []object{}}
		m["options"] = object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "none", "graphMode": "none"}
		return m
	}
	custom := object{"fillOpacity": 0, "lineWidth": 1, "showPoints": "never", "spanNulls": false}
	if p.stacked {
		custom["fillOpacity"], custom["stacking"] = 20, object{"mode": "normal"}
	}
	m["type"] = "timeseries"
	m["fieldConfig"] = object{"defaults": object{"unit": p.unit, "min": 0, "custom": custom}, "overrides": []object{}}
	m["options"] = object{
		"legend":  object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	return m
}
