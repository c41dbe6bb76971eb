package swarm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/swapcast/swapcast/loadtest/report"
)

// sample is what the servers' /metrics say at one moment, all together. Counters are
// since the servers' start.
type sample struct {
	at          time.Time
	cpu         float64 // seconds
	rss         float64
	heap        float64
	goroutines  float64
	fds         float64
	maxFDs      float64 // of the server with the fewest
	gcs         float64
	gcPause     float64 // seconds
	connections float64
	sent        float64
	writes      float64
	conflated   float64
	closed      map[string]float64 // by code
}

// scraper reads the servers' /metrics.
type scraper struct {
	urls   []string
	client *http.Client
}

func newScraper(admin []string) *scraper {
	s := &scraper{client: &http.Client{Timeout: 5 * time.Second}}
	for _, a := range admin {
		s.urls = append(s.urls, strings.TrimSuffix(a, "/")+"/metrics")
	}
	return s
}

// read asks all servers; one that does not answer makes it an error.
func (s *scraper) read(ctx context.Context) (sample, error) {
	all := sample{closed: map[string]float64{}}
	for _, u := range s.urls {
		if err := s.readOne(ctx, u, &all); err != nil {
			return sample{}, fmt.Errorf("%s: %w", u, err)
		}
	}
	all.at = time.Now()
	return all, nil
}

func (s *scraper) readOne(ctx context.Context, url string, all *sample) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	return readMetrics(io.LimitReader(answer.Body, 16<<20), all)
}

// readMetrics adds one server's metrics, in Prometheus's text form. Of that it reads
// what client_golang writes for the metrics that it wants: no escapes, no timestamps.
func readMetrics(from io.Reader, s *sample) error {
	lines := bufio.NewScanner(from)
	found := false
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(line[:at], "{")
		found = true
		s.take(name, labels, value)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if !found {
		return errors.New("no metrics in the answer")
	}
	return nil
}

func (s *sample) take(name, labels string, value float64) {
	var sum *float64
	switch name {
	case "process_cpu_seconds_total":
		sum = &s.cpu
	case "process_resident_memory_bytes":
		sum = &s.rss
	case "go_memstats_heap_inuse_bytes":
		sum = &s.heap
	case "go_goroutines":
		sum = &s.goroutines
	case "process_open_fds":
		sum = &s.fds
	case "process_max_fds":
		if s.maxFDs == 0 || value < s.maxFDs {
			s.maxFDs = value
		}
		return
	case "go_gc_duration_seconds_count":
		sum = &s.gcs
	case "go_gc_duration_seconds_sum":
		sum = &s.gcPause
	case "swapcast_ws_connections":
		sum = &s.connections
	case "swapcast_ws_messages_sent_total":
		sum = &s.sent
	case "swapcast_ws_writes_total":
		sum = &s.writes
	case "swapcast_ws_conflated_total":
		sum = &s.conflated
	case "swapcast_ws_closed_total":
		_, rest, _ := strings.Cut(labels, `code="`)
		code, _, _ := strings.Cut(rest, `"`)
		s.closed[code] += value
		return
	default:
		return
	}
	*sum += value
}

// since is what happened between two samples, as a second's row of the report.
func (s *sample) since(before *sample) *report.Sample {
	took := s.at.Sub(before.at).Seconds()
	if !(took > 0) {
		return nil
	}
	return &report.Sample{
		Cores:       (s.cpu - before.cpu) / took,
		RSS:         uint64(s.rss),
		Heap:        uint64(s.heap),
		Goroutines:  uint64(s.goroutines),
		FDs:         uint64(s.fds),
		GCs:         (s.gcs - before.gcs) / took,
		GCPause:     (s.gcPause - before.gcPause) / took,
		Connections: uint64(s.connections),
		Sent:        (s.sent - before.sent) / took,
		Conflated:   (s.conflated - before.conflated) / took,
	}
}
