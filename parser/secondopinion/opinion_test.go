package secondopinion

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/parser"
	"github.com/swapcast/swapcast/parser/parsertest"
)

const (
	library = "solana-dex-parser"
	nothing = "nothing"
	jupiter = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"
	// routed is the line of the legs that Jupiter's events state.
	routed = "again by Jupiter's events"
	// systemProgram is how the library writes the mint of native SOL.
	systemProgram = "11111111111111111111111111111111"
)

// reading is what the library says of one transaction: a line of trades.mjs.
type reading struct {
	Source    string
	Signature string
	Failed    bool
	Error     string
	Trades    []trade
}

// trade is one trade of the library.
type trade struct {
	Program, AMM    string
	Idx             string // outer and inner index, of an event or a first transfer
	InMint, OutMint string
	In, Out         string // raw units
}

func (t *trade) String() string {
	return fmt.Sprintf("%s %s -> %s %s at %s", t.In, short(t.InMint), t.Out, short(t.OutMint), t.Idx)
}

// nodeFor returns the program that runs the library. Looking at the files also
// tells the test cache when they change.
func nodeFor(t *testing.T, files ...string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	for _, file := range append(files, filepath.Join("node_modules", library, "package.json")) {
		if err == nil {
			_, err = os.Stat(file)
		}
	}
	if err == nil {
		return node
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing (make test-deps installs it): %v", library, err)
	}
	t.Skipf("no %s here (make test-deps installs it): %v", library, err)
	return ""
}

// theirs runs the library over the whole corpus.
func theirs(t *testing.T) []reading {
	t.Helper()
	dir := parsertest.CorpusDir(t)
	node := nodeFor(t, "trades.mjs", "response.mjs")
	blocks, err := filepath.Glob(filepath.Join(dir, "blocks", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"trades.mjs", filepath.Join(dir, "tx")}, blocks...)...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []reading
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var r reading
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if r.Error != "" {
			t.Errorf("%s: %s cannot read it: %s", r.Signature, library, r.Error)
		}
		all = append(all, r)
	}
}

// difference is one line of the table, without the judgement.
type difference struct{ signature, dex, theirs, ours, vaults string }

func (d difference) line() string {
	return strings.Join([]string{d.signature, d.dex, d.theirs, d.ours, d.vaults}, "\t")
}

// tally counts one exchange's legs.
type tally struct {
	theirs, ours int
	pool, user   int // agree: with the vaults' amounts, or with the trader's
	differ       int // they have it otherwise
	onlyTheirs   int
	onlyOurs     int
}

// comparison sets the two parsers side by side.
type comparison struct {
	t       *testing.T
	names   map[string]string // program -> our name of the exchange
	tallies map[string]*tally
	differ  []difference
	held    map[string]bool // lines whose vaults bear our amounts out
	failed  int             // trades of failed transactions
	none    int             // transactions in which neither sees a swap
	both    int             // transactions that were compared
}

func TestSecondOpinion(t *testing.T) {
	readings := theirs(t)
	bySignature := map[string]*swapcast.Transaction{}
	cases := parsertest.Corpus(t)
	for _, c := range cases {
		bySignature[c.Tx.Signature.String()] = c.Tx
	}
	if len(readings) != len(cases) {
		t.Fatalf("%s has read %d transactions, we %d", library, len(readings), len(cases))
	}
	c := newComparison(t)
	p := parser.New()
	var result parser.Result
	seen := map[string][]trade{}
	for _, r := range readings {
		tx := bySignature[r.Signature]
		if tx == nil {
			t.Fatalf("%s: not one of ours", r.Signature)
		}
		// Many stand in a block and on their own, in another encoding.
		if before, ok := seen[r.Signature]; ok {
			if !slices.Equal(before, r.Trades) {
				t.Errorf("%s: %s reads it otherwise in %s", r.Signature, library, r.Source)
			}
			continue
		}
		seen[r.Signature] = r.Trades
		if r.Failed != tx.Failed {
			t.Errorf("%s: failed %v, we say %v", r.Signature, r.Failed, tx.Failed)
		}
		p.Parse(tx, &result)
		if tx.Failed {
			c.failed += len(r.Trades)
			if len(result.Swaps) > 0 {
				t.Errorf("%s failed and has swaps of ours", r.Signature)
			}
			continue
		}
		c.compare(tx, r.Trades, result.Swaps)
	}
	c.judged()
	c.summary(len(seen))
}

func newComparison(t *testing.T) *comparison {
	c := &comparison{t: t, names: map[string]string{}, tallies: map[string]*tally{}, held: map[string]bool{}}
	for _, d := range parser.DEXes() {
		c.names[d.Program.String()] = d.Name
	}
	return c
}

func (c *comparison) tally(dex string) *tally {
	if c.tallies[dex] == nil {
		c.tallies[dex] = &tally{}
	}
	return c.tallies[dex]
}

// exchange is our name of a trade's exchange.
func (c *comparison) exchange(t *trade) string {
	if name, ok := c.names[t.Program]; ok {
		return name
	}
	return "no exchange of ours: " + t.AMM + " " + short(t.Program)
}

// compare pairs the legs of one transaction: the equal ones, then those of the
// same exchange and mints, then what is left.
func (c *comparison) compare(tx *swapcast.Transaction, trades []trade, swaps []swapcast.Swap) {
	c.both++
	if len(trades) == 0 && len(swaps) == 0 {
		c.none++
		return
	}
	v := newVaults(tx, swaps)
	direct := make([]int, 0, len(trades)) // still to be paired
	for i := range trades {
		t := &trades[i]
		if t.Program == jupiter {
			c.jupiterLeg(v, t)
			continue
		}
		c.tally(c.exchange(t)).theirs++
		direct = append(direct, i)
	}
	paired := make([]bool, len(swaps))
	for i := range swaps {
		c.tally(swaps[i].DEX).ours++
	}
	for _, fits := range []func(*trade, *swapcast.Swap) bool{equal, sameLeg} {
		direct = slices.DeleteFunc(direct, func(i int) bool {
			t := &trades[i]
			at := slices.IndexFunc(swaps, func(s swapcast.Swap) bool {
				return !paired[s.Index] && s.Program.String() == t.Program && fits(t, &s)
			})
			if at < 0 {
				return false
			}
			paired[at] = true
			c.pair(v, t, &swaps[at])
			return true
		})
	}
	for _, i := range direct {
		name := c.exchange(&trades[i])
		c.tally(name).onlyTheirs++
		c.add(v, name, &trades[i], nil)
	}
	for i := range swaps {
		if !paired[i] {
			c.tally(swaps[i].DEX).onlyOurs++
			c.add(v, swaps[i].DEX, nil, &swaps[i])
		}
	}
}

// pair counts two legs that belong together.
func (c *comparison) pair(v *vaults, t *trade, s *swapcast.Swap) {
	switch n := c.tally(s.DEX); {
	case !equal(t, s):
		n.differ++
		c.add(v, s.DEX, t, s)
	case t.In == amount(s.AmountIn) && t.Out == amount(s.AmountOut):
		n.pool++
	default:
		n.user++
	}
}

// jupiterLeg compares a leg that Jupiter's event states. It comes on top of the
// exchange's own line, so it takes no swap away from that, only from the other
// events.
func (c *comparison) jupiterLeg(v *vaults, t *trade) {
	n := c.tally(routed)
	n.theirs++
	var near *swapcast.Swap
	for i := range v.swaps {
		s := &v.swaps[i]
		if v.routed[i] {
			continue
		}
		if equal(t, s) {
			v.routed[i] = true
			if t.In == amount(s.AmountIn) && t.Out == amount(s.AmountOut) {
				n.pool++
			} else {
				n.user++
			}
			return
		}
		if sameLeg(t, s) && (near == nil || t.In == amount(s.AmountIn) || t.Out == amount(s.AmountOut)) {
			near = s
		}
	}
	if near == nil {
		n.onlyTheirs++
	} else {
		n.differ++
	}
	c.add(v, "Jupiter's event: "+t.AMM, t, near)
}

func (c *comparison) add(v *vaults, dex string, t *trade, s *swapcast.Swap) {
	d := difference{signature: v.tx.Signature.String(), dex: dex, theirs: nothing, ours: nothing}
	if t != nil {
		d.theirs = t.String()
	}
	var held bool
	if s != nil {
		d.ours = fmt.Sprintf("%d %s -> %d %s at %d.%d", s.AmountIn, short(s.MintIn.String()), s.AmountOut, short(s.MintOut.String()), s.Path.Outer, s.Path.Inner)
		if s.UserAmountIn != s.AmountIn || s.UserAmountOut != s.AmountOut {
			d.ours += fmt.Sprintf(", the trader %d -> %d", s.UserAmountIn, s.UserAmountOut)
		}
		d.vaults, held = v.of(s)
	} else {
		d.vaults = v.moved(t)
	}
	c.differ = append(c.differ, d)
	c.held[d.line()] = held
}

// equal says that the amounts are the same, the pool's or the trader's.
func equal(t *trade, s *swapcast.Swap) bool {
	return mint(t.InMint) == s.MintIn.String() && mint(t.OutMint) == s.MintOut.String() &&
		(t.In == amount(s.AmountIn) || t.In == amount(s.UserAmountIn)) &&
		(t.Out == amount(s.AmountOut) || t.Out == amount(s.UserAmountOut))
}

// sameLeg says that the two may mean the same swap: same mints, either way round.
func sameLeg(t *trade, s *swapcast.Swap) bool {
	in, out := mint(t.InMint), mint(t.OutMint)
	ours := [2]string{s.MintIn.String(), s.MintOut.String()}
	return ours == [2]string{in, out} || ours == [2]string{out, in}
}

func mint(text string) string {
	if text == systemProgram {
		return swapcast.NativeMint().String()
	}
	return text
}

func amount(n uint64) string { return strconv.FormatUint(n, 10) }

func short(s string) string { return s[:min(len(s), 4)] }

// judged holds the differences against the checked-in table.
func (c *comparison) judged() {
	path := filepath.Join("testdata", "differences.tsv")
	f, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines, reasons := map[string]string{}, map[string]string{}
	for _, row := range parsertest.ReadTable(c.t, f) {
		line := difference{row["signature"], row["dex"], row["theirs"], row["ours"], row["vaults"]}.line()
		if strings.TrimSpace(row["reason"]) == "" {
			c.t.Errorf("%s: no reason: %s", path, line)
		}
		// ours: they are wrong. theirs: we are. scope: a trade, with no exchange of ours.
		if !slices.Contains([]string{"ours", "theirs", "scope"}, row["verdict"]) {
			c.t.Errorf("%s: verdict %q: %s", path, row["verdict"], line)
		}
		lines[line], reasons[line] = row["verdict"], row["reason"]
	}
	for _, d := range c.differ {
		verdict, ok := lines[d.line()]
		switch {
		case !ok:
			c.t.Errorf("not judged: %s", d.line())
		case verdict == "ours" && d.ours != nothing && !c.held[d.line()]:
			c.t.Errorf("%s: the vaults do not bear ours out: %s", path, d.line())
		}
		delete(lines, d.line())
		c.t.Logf("%s %s: they %s; we %s; vaults %s. Right: %s. %s", d.dex, d.signature, d.theirs, d.ours, d.vaults, verdict, reasons[d.line()])
	}
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		c.t.Errorf("%s: no longer so: %s", path, line)
	}
}

// summary prints what each exchange's comparison came to.
func (c *comparison) summary(transactions int) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "exchange\ttheirs\tours\tequal to the pool's\tto the trader's\tdiffer\tonly theirs\tonly ours\t")
	var sum tally
	for _, dex := range slices.Sorted(maps.Keys(c.tallies)) {
		if dex == routed {
			continue // the same swaps once more
		}
		n := c.tallies[dex]
		n.print(w, dex)
		sum.theirs, sum.ours, sum.pool, sum.user = sum.theirs+n.theirs, sum.ours+n.ours, sum.pool+n.pool, sum.user+n.user
		sum.differ, sum.onlyTheirs, sum.onlyOurs = sum.differ+n.differ, sum.onlyTheirs+n.onlyTheirs, sum.onlyOurs+n.onlyOurs
	}
	sum.print(w, "all")
	c.tally(routed).print(w, routed)
	_ = w.Flush()
	c.t.Logf("%d transactions, %d successful ones compared, %d of them without a swap for either; "+
		"%s finds %d trades in failed ones\n%s", transactions, c.both, c.none, library, c.failed, b.String())
	c.t.Logf("all that the corpus says of each exchange\n%s", c.joined())
}

// joined is the table of ../testdata/corpus_agreement.txt, which the parser's own
// test holds true, with this comparison as its last column.
func (c *comparison) joined() string {
	table, err := os.ReadFile(filepath.Join("..", "testdata", "corpus_agreement.txt"))
	if err != nil {
		c.t.Fatal(err)
	}
	var b strings.Builder
	seen := 0
	for line := range strings.Lines(string(table)) {
		line = strings.TrimRight(line, " \n")
		last := ""
		switch name, _, _ := strings.Cut(line, " "); {
		case name == "exchange":
			last = library + " (judged)"
		case name == "#":
			b.WriteString(line + "\n")
			continue
		case c.tallies[name] == nil:
			last = "-"
		default:
			seen++
			n := c.tallies[name]
			if last = fmt.Sprint(n.pool + n.user); n.differ+n.onlyTheirs+n.onlyOurs > 0 {
				last += fmt.Sprintf(" (%d)", max(n.differ+n.onlyTheirs, n.differ+n.onlyOurs))
			}
		}
		fmt.Fprintf(&b, "%-138s%s\n", line, last)
	}
	if seen < 20 {
		c.t.Errorf("%d exchanges of the table were compared", seen)
	}
	return b.String()
}

func (n *tally) print(w io.Writer, name string) {
	_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, n.theirs, n.ours, n.pool, n.user, n.differ, n.onlyTheirs, n.onlyOurs)
}
