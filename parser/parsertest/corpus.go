package parsertest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/geyser"
	"github.com/swapcast/swapcast/geyser/capture"
)

// Case is one real transaction of the corpus.
type Case struct {
	// Source is "tx" for the single transactions, else the block's file name.
	// Many of the single ones stand in a block too.
	Source string
	Tx     *swapcast.Transaction
}

// corpusEnv names the variable that says where the corpus is.
const corpusEnv = "SWAPCAST_CORPUS"

// CorpusDir returns the folder of the corpus: $SWAPCAST_CORPUS, or
// ../shared/corpus beside the repository. It skips the test where there is
// none, and fails it where CI=true says that there must be.
func CorpusDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv(corpusEnv)
	if dir == "" {
		root, err := repositoryRoot()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "index.tsv")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no corpus at %s: %v", dir, err)
		}
		t.Skipf("no corpus at %s", dir)
	}
	return dir
}

// repositoryRoot finds the folder of go.mod from the test's working directory.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// Corpus returns every transaction of the corpus: the single ones and those of
// both blocks. They are read once a process and shared: nobody may change them.
func Corpus(t testing.TB) []Case {
	t.Helper()
	dir := CorpusDir(t)
	corpus.once.Do(func() { corpus.cases, corpus.err = readCorpus(dir) })
	if corpus.err != nil {
		t.Fatal(corpus.err)
	}
	return corpus.cases
}

//nolint:gochecknoglobals // reading the blocks takes longer than all tests on them
var corpus struct {
	once  sync.Once
	cases []Case
	err   error
}

func readCorpus(dir string) ([]Case, error) {
	cases, err := readCapture(filepath.Join(dir, "tx"), "tx", nil)
	if err != nil {
		return nil, err
	}
	blocks, err := filepath.Glob(filepath.Join(dir, "blocks", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range blocks {
		if cases, err = readCapture(path, filepath.Base(path), cases); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// readCapture appends all transactions of a capture, JSON file or folder.
func readCapture(path, source string, cases []Case) ([]Case, error) {
	f, err := capture.OpenPlain(path, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	d := geyser.NewDecoder()
	for {
		u, err := f.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return cases, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if u.GetTransaction() == nil {
			continue
		}
		tx := new(swapcast.Transaction)
		if err := d.Transaction(u.GetTransaction(), tx); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		cases = append(cases, Case{Source: source, Tx: tx})
	}
}

// Table reads one of the corpus's tables as rows by column name.
func Table(t testing.TB, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(CorpusDir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return ReadTable(t, f)
}

// ReadTable reads tab-separated rows under a header line.
func ReadTable(t testing.TB, r io.Reader) []map[string]string {
	t.Helper()
	c := csv.NewReader(r)
	c.Comma, c.LazyQuotes, c.FieldsPerRecord = '\t', true, -1
	all, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return nil
	}
	rows := make([]map[string]string, 0, len(all)-1)
	for _, cells := range all[1:] {
		row := make(map[string]string, len(cells))
		for i, cell := range cells {
			if i < len(all[0]) {
				row[all[0][i]] = cell
			}
		}
		rows = append(rows, row)
	}
	return rows
}
