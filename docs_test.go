package swapcast_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNoticeNamesEveryModule keeps NOTICE true when a module comes or goes.
func TestNoticeNamesEveryModule(t *testing.T) {
	// Used by tests and tools alone: no part of the binary.
	notLinked := []string{
		"github.com/chromedp/", "github.com/go-json-experiment/json", "github.com/gobwas/", "github.com/pmezard/go-difflib",
		"github.com/santhosh-tekuri/jsonschema/", "github.com/stretchr/testify", "github.com/vmihailenco/", "go.uber.org/goleak", "gopkg.in/yaml", "pgregory.net/rapid",
	}
	modules := readFile(t, "go.mod")
	notice := readFile(t, "NOTICE")
	count := 0
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\t?([a-z0-9.-]+\.[a-z]+/\S+) v`).FindAllStringSubmatch(modules, -1) {
		count++
		path := m[1]
		if slices.ContainsFunc(notLinked, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			continue
		}
		if !regexp.MustCompile(regexp.QuoteMeta(path) + `[\s,]`).MatchString(notice) {
			t.Errorf("NOTICE does not name %s", path)
		}
	}
	if count < 10 {
		t.Fatalf("found %d modules in go.mod: the pattern is broken", count)
	}
}

// TestDocumentLinks follows the links of the documents to files of the tree.
func TestDocumentLinks(t *testing.T) {
	link := regexp.MustCompile(`\[[^]]+\]\(([^)#]+)\)`)
	found := 0
	for _, document := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} {
		for _, m := range link.FindAllStringSubmatch(readFile(t, document), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			if _, err := os.Stat(m[1]); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
	}
	if found == 0 {
		t.Fatal("no link found: the pattern is broken")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
