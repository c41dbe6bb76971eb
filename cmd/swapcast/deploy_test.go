package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gagliardetto/solana-go"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"

	"github.com/swapcast/swapcast"
	"github.com/swapcast/swapcast/cache"
	"github.com/swapcast/swapcast/cache/cachetest"
	"github.com/swapcast/swapcast/geyser/backfill"
	"github.com/swapcast/swapcast/rpcpool"
	"github.com/swapcast/swapcast/tokens"
)

// deployFile is the path of a file below deploy.
func deployFile(path ...string) string {
	return filepath.Join(append([]string{"..", "..", "deploy"}, path...)...)
}

// tool is the path of a program that the test needs. scripts/test-deps.sh installs
// it; where it is missing the test is skipped, and in CI it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: scripts/test-deps.sh installs it", err)
	}
	t.Skipf("%v: make test-deps installs it", err)
	return ""
}

// alert is one of rules.yml.
type alert struct {
	Alert, Expr string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct{ Rules []alert }
	}
	readYAML(t, deployFile("prometheus", "rules.yml"), &file)
	var alerts []alert
	for _, g := range file.Groups {
		alerts = append(alerts, g.Rules...)
	}
	return alerts
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Prometheus takes the configuration and the rules, and each alert fires when it
// should and only then.
func TestAlerts(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{
		{"check", "config", "prometheus.yml"},
		{"check", "rules", "rules.yml"},
		{"test", "rules", "tests.yml"},
	} {
		run := exec.CommandContext(t.Context(), promtool, args...)
		run.Dir = deployFile("prometheus")
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert has a unit test in which one server or fleet is in trouble and another is not,
// says how bad it is, and what it means.
func TestAlertsAreTested(t *testing.T) {
	var file struct {
		Tests []struct {
			InputSeries []struct{ Series string } `yaml:"input_series"`
			Alerts      []struct {
				Alertname string
				Exp       []struct {
					Labels map[string]string `yaml:"exp_labels"`
				} `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, deployFile("prometheus", "tests.yml"), &file)
	tested := map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.Alerts {
			good := slices.ContainsFunc(test.InputSeries, func(s struct{ Series string }) bool { return strings.Contains(s.Series, `"good:9090"`) })
			if !good || len(a.Exp) != 1 {
				continue
			}
			instance, ofOne := a.Exp[0].Labels["instance"]
			ofFleet := !ofOne && a.Exp[0].Labels["job"] == "bad" // of all servers of a job
			tested[a.Alertname] = tested[a.Alertname] || ofFleet || instance == "bad:9090"
		}
	}
	for _, a := range readAlerts(t) {
		if !tested[a.Alert] {
			t.Errorf("%s has no test with a server that is well", a.Alert)
		}
		if severity := a.Labels["severity"]; severity != "page" && severity != "warn" || a.Annotations["summary"] == "" {
			t.Errorf("%s: severity %q, summary %q", a.Alert, severity, a.Annotations["summary"])
		}
	}
}

// panelQuery is one query of a dashboard.
type panelQuery struct{ where, expr string }

// readPanels reads every query of the dashboards, with what Grafana would put in for
// its variables.
func readPanels(t *testing.T) []panelQuery {
	t.Helper()
	paths, err := filepath.Glob(deployFile("grafana", "dashboards", "*.json"))
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d dashboards, %v", len(paths), err)
	}
	var queries []panelQuery
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".+").Replace(q.Expr)
				queries = append(queries, panelQuery{filepath.Base(path) + ": " + p.Title, expr})
			}
		}
	}
	return queries
}

// families are the metrics that a server has, with the names of their labels.
func families(t *testing.T, registries ...*prometheus.Registry) map[string][]string {
	t.Helper()
	form := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	found := map[string][]string{}
	for _, r := range registries {
		descs := make(chan *prometheus.Desc)
		go func() { r.Describe(descs); close(descs) }()
		for d := range descs {
			m := form.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("not understood: %s", d)
			}
			var labels []string
			for l := range strings.SplitSeq(m[2], ",") {
				if l != "" {
					labels = append(labels, strings.TrimSpace(l))
				}
			}
			found[m[1]] = labels
		}
	}
	return found
}

// otherMetrics are those that a server has only with some flags.
func otherMetrics(own *prometheus.Registry, t *testing.T) *prometheus.Registry {
	r := prometheus.NewRegistry()
	has := families(t, own)
	for name, register := range map[string]func(){
		"swapcast_cache_requests_total": func() { cache.NewMetrics(r) },    // with a cache
		"swapcast_rpc_requests_total":   func() { rpcpool.NewMetrics(r) },  // with --rpc-url
		"swapcast_token_known":          func() { tokens.NewMetrics(r) },   // the same
		"swapcast_backfill_slots_total": func() { backfill.NewMetrics(r) }, // the same
	} {
		if _, there := has[name]; !there {
			register()
		}
	}
	return r
}

// selector is a metric in a query, with the labels that are asked for.
type selector struct {
	metric string
	labels map[string]string // name to operator and value
}

var (
	promToken = regexp.MustCompile(`"[^"]*"|[a-zA-Z_:][a-zA-Z0-9_:]*|\[[^\]]*\]|[0-9.]+[a-z]*|=~|!~|!=|==|<=|>=|.`)
	promLabel = regexp.MustCompile(`([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
)

// selectors finds the metrics of a query, and the labels by which it groups. It
// knows as much of PromQL as our queries have; Prometheus itself reads them too.
func selectors(expr string) (found []selector, grouped []string) {
	words := promToken.FindAllString(expr, -1)
	words = slices.DeleteFunc(words, func(w string) bool { return strings.TrimSpace(w) == "" })
	until := func(i int, end string) int {
		for i < len(words) && words[i] != end {
			i++
		}
		return i
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		next := ""
		if i+1 < len(words) {
			next = words[i+1]
		}
		switch {
		case slices.Contains([]string{"by", "without", "on", "ignoring"}, w) && next == "(":
			end := until(i, ")")
			for _, l := range words[i+2 : end] {
				if l != "," {
					grouped = append(grouped, l)
				}
			}
			i = end
		case !regexp.MustCompile(`^[a-zA-Z_:]`).MatchString(w), next == "(":
		case slices.Contains([]string{"and", "or", "unless", "offset", "group_right", "group_left", "bool", "sum", "max", "min", "avg", "count"}, w):
		default:
			s := selector{metric: w, labels: map[string]string{}}
			if next == "{" {
				end := until(i, "}")
				for _, m := range promLabel.FindAllStringSubmatch(strings.Join(words[i+2:end], ""), -1) {
					s.labels[m[1]] = m[2] + m[3]
				}
				i = end
			}
			found = append(found, s)
		}
	}
	return found, grouped
}

func TestSelectors(t *testing.T) {
	found, grouped := selectors(`topk(3, sum by (le, dex) (rate(a_total{x="1", y=~"b|c"}[5m]))) / on (instance) 2 * b > 0.5 and c offset 5m`)
	text := fmt.Sprint(found, grouped)
	if want := `[{a_total map[x:=1 y:=~b|c]} {b map[]} {c map[]}] [le dex instance]`; text != want {
		t.Errorf("%s", text)
	}
}

// scraped are the labels that Prometheus adds.
var scraped = []string{"instance", "job"}

// checkQuery reports what in a query no server has: metrics, labels, and values of
// labels where there are series.
func checkQuery(t *testing.T, where, expr string, has map[string][]string, series []*dto.MetricFamily) {
	t.Helper()
	found, grouped := selectors(expr)
	if len(found) == 0 {
		t.Errorf("%s: no metric in %s", where, expr)
	}
	known := slices.Clone(scraped)
	for _, s := range found {
		base, labels, ok := lookUp(has, s.metric)
		if !ok {
			t.Errorf("%s: no metric is called %s", where, s.metric)
			continue
		}
		known = append(append(known, labels...), "le")
		for name, match := range s.labels {
			switch {
			case slices.Contains(scraped, name):
			case !slices.Contains(labels, name):
				t.Errorf("%s: %s has no label %s", where, s.metric, name)
			default:
				checkValue(t, where, base, name, match, series)
			}
		}
	}
	for _, name := range grouped {
		if !slices.Contains(known, name) {
			t.Errorf("%s: nothing in it has the label %s", where, name)
		}
	}
}

// lookUp finds a metric, also by the names that a histogram's and summary's series
// have. up is Prometheus' own.
func lookUp(has map[string][]string, name string) (base string, labels []string, ok bool) {
	if name == "up" {
		return name, nil, true
	}
	for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
		base, cut := strings.CutSuffix(name, suffix)
		if labels, ok := has[base]; ok && cut {
			return base, labels, true
		}
	}
	return "", nil, false
}

// checkValue reports a value that is asked for and that no series has. What comes
// from outside (an endpoint, a reason) need not have come yet.
func checkValue(t *testing.T, where, metric, label, match string, series []*dto.MetricFamily) {
	t.Helper()
	if strings.HasPrefix(match, "!") || slices.Contains([]string{"reason", "code"}, label) {
		return
	}
	wanted := strings.Split(strings.TrimLeft(match, "=~"), "|")
	var values []string
	there := false
	for _, f := range series { // of each server
		if f.GetName() != metric {
			continue
		}
		there = true
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == label {
					values = append(values, l.GetValue())
				}
			}
		}
	}
	for _, w := range wanted {
		if there && !slices.Contains(values, w) && !slices.Contains(quoteOutcomes, w) {
			t.Errorf("%s: no %s has %s %q, only %q", where, metric, label, w, values)
		}
	}
}

// live tells whether there is a series that the selector asks for.
func (s selector) live(has map[string][]string, series []*dto.MetricFamily) bool {
	base, _, _ := lookUp(has, s.metric)
	for _, f := range series {
		if f.GetName() != base {
			continue
		}
		for _, m := range f.GetMetric() {
			if s.takes(m) {
				return true
			}
		}
	}
	return s.metric == "up"
}

func (s selector) takes(m *dto.Metric) bool {
	for name, match := range s.labels {
		if slices.Contains(scraped, name) {
			continue
		}
		value := ""
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				value = l.GetValue()
			}
		}
		pattern := strings.TrimLeft(match, "!=~")
		if !strings.Contains(match[:2], "~") {
			pattern = regexp.QuoteMeta(pattern)
		}
		if regexp.MustCompile("^(?:"+pattern+")$").MatchString(value) == strings.HasPrefix(match, "!") {
			return false
		}
	}
	return true
}

// quoteOutcomes are those that need not have come.
var quoteOutcomes = []string{"no_quote", "deadline", "ok"}

// queriedFleet is a server of its own, and an ingest with an edge, after some use.
func queriedFleet(t *testing.T) []*server {
	t.Helper()
	const source = "market:?seed=5&tps=200"
	all := serveForTest(t, "--source", source)
	redis := "redis://" + cachetest.StartRedis(t).Addr
	ingest := serveForTest(t, "--role", "ingest", "--source", source, "--redis-url", redis)
	edge := serveForTest(t, "--role", "edge", "--redis-url", redis)
	virtualUsers(t, all.public.Addr().String(), 2)
	askQuote(t, "http://"+all.public.Addr().String())
	within(t, "the edge is ready", func() bool {
		return askFleet(t, "http://"+edge.public.Addr().String()+"/readyz", nil) == http.StatusOK
	})
	virtualUsers(t, edge.public.Addr().String(), 2)
	return []*server{all, ingest, edge}
}

// TestQueries checks every query of the dashboards and alerts: by the names of the
// metrics and labels that running servers of each role have registered, and by what
// a Prometheus that scrapes them answers.
func TestQueries(t *testing.T) {
	program := tool(t, "prometheus")
	servers := queriedFleet(t)
	var registries []*prometheus.Registry
	var addresses []string
	for _, s := range servers {
		registries, addresses = append(registries, s.registry), append(addresses, s.admin.Addr().String())
	}
	registries = append(registries, otherMetrics(servers[0].registry, t))
	p := startPrometheus(t, program, addresses...)
	// Two good scrapes make a rate, the last of them is what there is now.
	p.await(t, `min(sum_over_time(up[1m])) >= 2 and min(up) == 1 and count(up) == 3`)
	var series, more []*dto.MetricFamily
	for i, r := range registries {
		gathered, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		if more = append(more, gathered...); i < len(servers) {
			series = append(series, gathered...)
		}
	}
	has := families(t, registries...)
	queries := readPanels(t)
	for _, a := range readAlerts(t) {
		queries = append(queries, panelQuery{a.Alert, a.Expr})
	}
	for _, q := range queries {
		checkQuery(t, q.where, q.expr, has, more)
	}
	if len(queries) < 100 {
		t.Errorf("only %d queries", len(queries))
	}
	empty, answered := 0, 0
	for _, q := range queries {
		n, err := p.ask(t, q.expr)
		if err != nil {
			t.Errorf("%s: %v\n%s", q.where, err, q.expr)
			continue
		}
		found, _ := selectors(q.expr)
		silent := slices.ContainsFunc(found, func(s selector) bool { return !s.live(has, series) })
		switch alerts := !strings.Contains(q.where, ".json"); {
		case n > 0:
			answered++
			if slices.Contains([]string{"SwapcastRelayNoLeader", "SwapcastRelayRedisAway", "SwapcastRelayUnread", "SwapcastDown"}, q.where) {
				t.Errorf("%s fires, of servers that are well", q.where)
			}
		case q.where == "SwapcastRelayOneIngest":
			t.Errorf("%s does not fire", q.where)
		case silent || alerts: // nothing of the kind has happened; alerts do not fire
			empty++
		default:
			t.Errorf("%s: no answer to %s", q.where, q.expr)
		}
	}
	t.Logf("%d queries of dashboards and alerts: %d answered by the servers' metrics, %d of what has not happened to them", len(queries), answered, empty)
	if answered < 70 {
		t.Errorf("only %d were answered", answered)
	}
}

// runningPrometheus is a Prometheus that scrapes servers every two seconds.
type runningPrometheus struct {
	url string
	at  string // when queries are answered as of; "" now
}

func startPrometheus(t *testing.T, program string, targets ...string) *runningPrometheus {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 2s}\nscrape_configs: [{job_name: swapcast, static_configs: [{targets: [%s]}]}]\n", strings.Join(targets, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	run := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address="+address, "--log.level=error")
	run.Stdout, run.Stderr = t.Output(), t.Output()
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	return &runningPrometheus{url: "http://" + address}
}

// freeAddress is one that nothing listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await waits until a query has an answer. Later ones are as of then: on a busy
// machine a scrape may fail, after which there are no values for a while.
func (p *runningPrometheus) await(t *testing.T, expr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		p.at = strconv.FormatFloat(float64(time.Now().UnixMilli())/1000, 'f', 3, 64)
		n, err := p.ask(t, expr)
		if n > 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no answer to %s: %v", expr, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ask returns how many series a query has.
func (p *runningPrometheus) ask(t *testing.T, expr string) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/api/v1/query?time="+p.at+"&query="+url.QueryEscape(expr), http.NoBody)
	if err != nil {
		return 0, err
	}
	_, body, err := fetch(request)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("%w: %s", err, body)
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s", answer.Error)
	}
	return len(answer.Data.Result), nil
}

// ofSomebody is what a label is called whose values would be as many as there are
// tokens, wallets, transactions or clients.
var ofSomebody = regexp.MustCompile(`(?i)mint|asset|token|pool|wallet|owner|trader|payer|account|address|signature|hash|client|conn|vu|user|test|scenario|session|remote|peer|ip$|(^|_)id$|^key$|agent|origin_?host|path`)

// Metrics never carry a wallet, an address, a mint or a client as a label.
func TestMetricLabels(t *testing.T) {
	owner := solana.NewWallet().PublicKey()
	s := serveForTest(t, "--source", "market:?seed=5&tps=200", "--watch-wallet", owner.String())
	virtualUsers(t, s.public.Addr().String(), 4)
	askQuote(t, "http://"+s.public.Addr().String())
	for name, labels := range families(t, s.registry, otherMetrics(s.registry, t)) {
		for _, l := range labels {
			if ofSomebody.MatchString(l) {
				t.Errorf("%s has the label %s", name, l)
			}
		}
	}
	series, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mint", "assetId", "wallet", "owner", "address", "vu_id", "test_id", "conn", "id", "signature"} {
		if !ofSomebody.MatchString(name) {
			t.Errorf("%s would pass", name)
		}
	}
	base58 := regexp.MustCompile(`[1-9A-HJ-NP-Za-km-z]{32,}`)
	seen := 0
	for _, f := range series {
		if n := len(f.GetMetric()); n > 200 {
			t.Errorf("%s has %d series", f.GetName(), n)
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				seen++
				if v := l.GetValue(); l.GetName() != "commit" && base58.MatchString(v) || v == swapcast.NativeMintAddress ||
					slices.Contains([]string{"run-0", "run-1", "price_streams"}, v) || len(v) > 64 {
					t.Errorf("%s{%s=%q}", f.GetName(), l.GetName(), v)
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d labels were looked at", seen)
	}
}

// What the alerts on the process itself need is there.
func TestProcessMetrics(t *testing.T) {
	has := families(t, newRegistry())
	for _, name := range []string{
		"process_open_fds", "process_max_fds", "process_resident_memory_bytes", "process_cpu_seconds_total", "go_goroutines",
		"go_memstats_heap_alloc_bytes", "go_gc_duration_seconds",
	} {
		if _, ok := has[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}
