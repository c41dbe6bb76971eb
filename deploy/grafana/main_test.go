package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files are what the code makes: go run ./deploy/grafana writes them.
func TestFilesAreCurrent(t *testing.T) {
	fresh := t.TempDir()
	if err := write(fresh); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(fresh, "*.json"))
	if err != nil || len(made) != len(dashboards()) {
		t.Fatalf("%d files, %v", len(made), err)
	}
	for _, path := range made {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("dashboards", filepath.Base(path)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code makes: run go run ./deploy/grafana (%v)", filepath.Base(path), err)
		}
	}
	kept, err := filepath.Glob(filepath.Join("dashboards", "*"))
	if err != nil || len(kept) != len(made) {
		t.Errorf("files that the code does not make: %q", kept)
	}
}

// Panels do not lie on one another, have an id each, and look at the servers that
// were chosen.
func TestLayout(t *testing.T) {
	for _, d := range dashboards() {
		text, err := json.Marshal(d.model())
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Panels []struct {
				ID      int
				Title   string
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		taken := map[[2]int]string{}
		ids := map[int]bool{}
		for _, p := range m.Panels {
			if ids[p.ID] || p.ID == 0 {
				t.Errorf("%s: id %d is there twice", d.name, p.ID)
			}
			ids[p.ID] = true
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= gridWidth {
						t.Fatalf("%s: %q lies on %q", d.name, p.Title, other)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
			for _, q := range p.Targets {
				if !strings.Contains(q.Expr, `instance=~"$instance"`) || strings.Contains(q.Expr, selected) {
					t.Errorf("%s: %s: %s", d.name, p.Title, q.Expr)
				}
			}
		}
	}
}
