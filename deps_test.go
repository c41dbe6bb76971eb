package swapcast_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "github.com/swapcast/swapcast"

// ownImports says which of our packages a package may import. "." is the root
// package, "x/..." is x and everything below it. A package that is not listed
// is an error: give it a line here, and think while you do.
var ownImports = []struct {
	pkg string
	may []string
}{
	{".", nil},

	// The stages of the data path. They know the shared words and not each
	// other; only cmd/swapcast knows them all.
	{"geyser", []string{"."}},
	{"geyser/capture", []string{".", "geyser"}},
	{"geyser/replay", []string{".", "geyser", "geyser/capture", "geyser/replay/faults"}},
	{"geyser/replay/faults", nil},
	{"geyser/sim", []string{".", "geyser"}},
	{"geyser/backfill", []string{".", "geyser", "geyser/capture", "rpcpool"}},
	{"parser", []string{"."}},
	{"parser/parsertest", []string{".", "parser", "geyser", "geyser/capture"}},
	{"parser/secondopinion", nil}, // tests only
	{"market", []string{"."}},
	{"wallet", []string{"."}},
	{"wallet/onchain", []string{".", "wallet", "rpcpool", "geyser", "geyser/capture", "parser"}}, // what no stream shows of a wallet
	{"ledger", []string{"."}},
	{"quote", []string{"."}},
	{"cache", nil},                              // generic: it knows nothing of ours
	{"cache/cachetest", nil},                    // Redis servers for tests
	{"quote/quotetest", []string{"."}},          // Jupiter, DFlow, Hashflow and Hermes, for tests and demos
	{"swap", []string{".", "quote", "rpcpool"}}, // a quote's transaction, held against the quote
	{"stream", []string{".", "stream/wire"}},
	{"stream/wire", []string{"."}},
	{"stream/client", []string{".", "stream/wire"}},
	{"stream/web", nil},
	{"relay", []string{".", "stream", "stream/wire"}}, // from ingests to edges
	{"stream/web/browsertest", nil},                   // tests only
	{"api", []string{".", "stream/wire", "quote", "swap"}},
	{"report", nil}, // to a Sentry server; it knows nothing of ours
	{"report/reporttest", nil},
	{"deploy/grafana", nil},    // writes the dashboards
	{"rpcpool", []string{"."}}, // Solana RPC endpoints, asked in turn
	{"tokens", []string{".", "rpcpool"}},
	{"rpctest", []string{".", "geyser", "geyser/capture"}}, // an RPC server, for tests and drills

	// The wiring, and the programs that measure from outside.
	{"cmd/swapcast", []string{"..."}},
	{"loadtest/drill", []string{".", "geyser", "geyser/replay", "geyser/replay/faults", "geyser/sim", "market", "parser", "rpctest"}},
	{"loadtest/...", []string{".", "stream", "stream/wire", "stream/client", "loadtest/..."}},
}

// onlyFor lists packages that exist for tests and for the subcommands that run
// them, with their importers outside tests. The data path never needs a fake.
var onlyFor = []struct {
	pkg string
	by  []string
}{
	{"geyser/replay", []string{"cmd/swapcast", "loadtest/drill"}},
	{"geyser/replay/faults", []string{"geyser/replay", "cmd/swapcast", "loadtest/drill"}},
	{"geyser/sim", []string{"cmd/swapcast", "loadtest/drill"}},
	{"parser/parsertest", nil},
	{"cache/cachetest", nil},
	{"rpctest", []string{"cmd/swapcast", "loadtest/drill"}},
	{"quote/quotetest", []string{"cmd/swapcast"}},
	{"report/reporttest", nil},
}

// homes says where a third-party module may be imported by code that is not a
// test: folders ("x" is that folder alone, "x/..." those below it too) or
// single files by name. One home each, so that replacing one is a change in
// one place. A module that is not listed is an error.
var homes = []struct {
	module string
	in     []string
}{
	{"github.com/gagliardetto/solana-go", []string{"..."}}, // keys and signatures
	{"github.com/coder/websocket", []string{"stream", "stream/client", "loadtest/..."}},
	{"google.golang.org/grpc", []string{"geyser/...", "cmd/swapcast"}},
	{"google.golang.org/protobuf", []string{"geyser/...", "rpctest"}},
	// rpctest is fed with the updates that the played sources consist of.
	{"github.com/rpcpool/yellowstone-grpc/examples/golang", []string{"geyser/...", "cmd/swapcast", "rpctest", "loadtest/drill"}},
	{"github.com/klauspost/compress", []string{"geyser/...", "stream", "cache"}},
	{"github.com/mostynb/zstdpool-freelist", []string{"geyser/..."}},
	// The wiring hands the registry to each package's metrics.go.
	{"github.com/prometheus/client_golang", []string{"*/metrics.go", "cmd/swapcast"}},
	{"github.com/getsentry/sentry-go", []string{"report"}},
	{"github.com/alecthomas/kong", []string{"cmd/swapcast"}},
	{"go.yaml.in/yaml/v3", []string{"geyser/replay/faults"}},
	{"golang.org/x/sync", []string{"..."}},
	{"golang.org/x/sys", []string{"stream"}},
	{"golang.org/x/time", []string{"stream", "api", "geyser/...", "loadtest/...", "quote", "report"}},
	{"github.com/sony/gobreaker/v2", []string{"quote", "cache"}},
	{"github.com/redis/go-redis/v9", []string{"cache/...", "relay", "cmd/swapcast"}},
	{"github.com/maypok86/otter/v2", []string{"cache"}},
	{"github.com/HdrHistogram/hdrhistogram-go", []string{"loadtest/swarm"}},
	// For tests alone: no home.
	{"go.uber.org/goleak", nil},
	{"pgregory.net/rapid", nil},
	{"github.com/chromedp/chromedp", nil},
	{"github.com/chromedp/cdproto", nil},
	{"github.com/santhosh-tekuri/jsonschema/v6", nil},
	{"github.com/vmihailenco/msgpack/v5", nil}, // a second opinion on our MessagePack
}

// badNames are packages whose name says nothing about what is in them.
var badNames = []string{"utils", "util", "common", "models", "helpers", "internal", "pkg"}

func TestImportRules(t *testing.T) {
	files := readTree(t, os.DirFS("."))
	if len(files) < 5 {
		t.Fatalf("found only %d Go files: the walk is broken", len(files))
	}
	for _, problem := range checkImports(files) {
		t.Error(problem)
	}
}

// TestImportRulesBite breaks each rule on purpose: a checker that passes
// everything would otherwise look the same as a clean tree.
func TestImportRulesBite(t *testing.T) {
	const ws = `import _ "github.com/coder/websocket"`
	for name, c := range map[string]struct {
		path, src string
		want      string // in the one problem reported; "" for none
	}{
		"stage imports the root":            {"parser/a.go", `package parser; import _ "` + module + `"`, ""},
		"stage imports another stage":       {"parser/a.go", `package parser; import _ "` + module + `/geyser"`, "parser may not import geyser"},
		"root imports a package":            {"a.go", `package swapcast; import _ "` + module + `/market"`, ". may not import market"},
		"stage imports cmd":                 {"market/a.go", `package market; import _ "` + module + `/cmd/swapcast"`, "market may not import cmd/swapcast"},
		"wiring imports anything":           {"cmd/swapcast/a.go", `package main; import _ "` + module + `/parser"`, ""},
		"wiring runs a fake":                {"cmd/swapcast/a.go", `package main; import _ "` + module + `/geyser/sim"`, ""},
		"test package outside tests":        {"cmd/swapcast/a.go", `package main; import _ "` + module + `/parser/parsertest"`, "parser/parsertest is for tests"},
		"package without a rule":            {"novel/a.go", `package novel`, "novel has no line in ownImports"},
		"package below a listed folder":     {"loadtest/swarm/a.go", `package swarm; import _ "` + module + `/stream/client"`, ""},
		"websocket at home":                 {"stream/a.go", `package stream; ` + ws, ""},
		"websocket in the client":           {"stream/client/a.go", `package client; ` + ws, ""},
		"websocket elsewhere":               {"api/a.go", `package api; ` + ws, "github.com/coder/websocket"},
		"grpc below geyser":                 {"geyser/replay/a.go", `package replay; import _ "google.golang.org/grpc/codes"`, ""},
		"grpc in the parser":                {"parser/a.go", `package parser; import _ "google.golang.org/grpc/codes"`, "google.golang.org/grpc"},
		"metrics in metrics.go":             {"market/metrics.go", `package market; import _ "github.com/prometheus/client_golang/prometheus"`, ""},
		"metrics in another file":           {"market/market.go", `package market; import _ "github.com/prometheus/client_golang/prometheus"`, "github.com/prometheus/client_golang"},
		"a prefix is not the module":        {"stream/a.go", `package stream; import _ "github.com/coder/websocketx"`, "github.com/coder/websocketx has no line in homes"},
		"unknown third party":               {"stream/a.go", `package stream; import _ "example.com/leftpad"`, "example.com/leftpad has no line in homes"},
		"test library in code":              {"market/a.go", `package market; import _ "pgregory.net/rapid"`, "pgregory.net/rapid"},
		"test library in a test":            {"market/a_test.go", `package market; import _ "pgregory.net/rapid"`, ""},
		"folder named utils":                {"stream/utils/a.go", `package fine`, `"utils"`},
		"package named common":              {"stream/a.go", `package common`, `"common"`},
		"folder named internal":             {"internal/x/a.go", `package x`, `"internal"`},
		"a nested module is not ours":       {"loadtest/compare/a.go", `package utils; import _ "example.com/leftpad"`, ""},
		"testdata is not code":              {"parser/testdata/a.go", `package utils`, ""},
		"std with a dotless path":           {"market/a.go", `package market; import _ "net/http"`, ""},
		"import behind a build tag counts":  {"market/a.go", "//go:build never\n\npackage market; " + ws, "github.com/coder/websocket"},
		"a commented import does not count": {"market/a.go", "package market\n// " + ws, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{
				c.path:                    {Data: []byte(c.src)},
				"loadtest/compare/go.mod": {Data: []byte("module other")},
			}
			problems := checkImports(readTree(t, tree))
			switch {
			case c.want == "" && len(problems) > 0:
				t.Errorf("unexpected: %q", problems)
			case c.want != "" && len(problems) == 0:
				t.Errorf("no problem found; want one with %q", c.want)
			case c.want != "" && !strings.Contains(problems[0], c.want):
				t.Errorf("got %q; want %q in it", problems[0], c.want)
			}
		})
	}
}

// goFile is one source file as far as these rules see it.
type goFile struct {
	path    string // from the module root, with slashes
	pkg     string // its package clause
	imports []string
}

func (f goFile) dir() string { return path.Dir(f.path) }

// readTree parses the imports of every Go file of the module, whatever its
// build tags. It reads the files itself: the answer of a go command would come
// from the test cache.
func readTree(t *testing.T, tree fs.FS) []goFile {
	t.Helper()
	var files []goFile
	err := fs.WalkDir(tree, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			name := d.Name()
			if p == "." {
				return nil
			}
			if name == "testdata" || name == "node_modules" || name[0] == '.' || name[0] == '_' {
				return fs.SkipDir
			}
			if _, err := fs.Stat(tree, p+"/go.mod"); err == nil {
				return fs.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(tree, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), p, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		f := goFile{path: p, pkg: parsed.Name.Name}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, name)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkImports returns one line for each broken rule. Tests may import what
// they like; their folders still need good names.
func checkImports(files []goFile) []string {
	var problems []string
	add := func(f goFile, format string, args ...any) {
		problems = append(problems, f.path+": "+fmt.Sprintf(format, args...))
	}
	for _, f := range files {
		for _, name := range append(strings.Split(f.dir(), "/"), strings.TrimSuffix(f.pkg, "_test")) {
			if slices.Contains(badNames, name) {
				add(f, "%q says nothing about what is in it", name)
			}
		}
		may, listed := mayImport(f.dir())
		if !listed {
			add(f, "%s has no line in ownImports", f.dir())
			continue
		}
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		for _, imp := range f.imports {
			if own, ok := ownPackage(imp); ok {
				checkOwn(f, own, may, add)
			} else if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
				checkThirdParty(f, imp, add)
			}
		}
	}
	return problems
}

func checkOwn(f goFile, own string, may []string, add func(goFile, string, ...any)) {
	if !slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, own) }) {
		add(f, "%s may not import %s", f.dir(), own)
	}
	for _, r := range onlyFor {
		if r.pkg == own && !slices.Contains(r.by, f.dir()) {
			add(f, "%s is for tests and for %v", own, r.by)
		}
	}
}

func checkThirdParty(f goFile, imp string, add func(goFile, string, ...any)) {
	for _, h := range homes {
		if imp != h.module && !strings.HasPrefix(imp, h.module+"/") {
			continue
		}
		atHome := slices.ContainsFunc(h.in, func(in string) bool {
			if name, ok := strings.CutPrefix(in, "*/"); ok {
				return path.Base(f.path) == name
			}
			return in == f.path || matches(in, f.dir())
		})
		if !atHome {
			add(f, "%s may be imported only in %v", h.module, h.in)
		}
		return
	}
	add(f, "%s has no line in homes", imp)
}

// mayImport returns the own packages that dir may import, and whether dir has
// a line at all. The first matching line counts.
func mayImport(dir string) ([]string, bool) {
	for _, r := range ownImports {
		if matches(r.pkg, dir) {
			return r.may, true
		}
	}
	return nil, false
}

// ownPackage turns an import path of this module into its folder.
func ownPackage(imp string) (string, bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

// matches reports whether dir is what pattern names: "..." everything, "x/..."
// x and all below it, anything else that folder alone.
func matches(pattern, dir string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return dir == base || strings.HasPrefix(dir, base+"/")
	}
	return pattern == dir
}
