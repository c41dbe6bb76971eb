package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// fleet is all that runs.
type fleet struct {
	dir     string
	redis   []*process
	ports   []string // of redis
	bus     string   // of the first one of them
	geyser  *process
	direct  *process // role all, the yardstick
	ingests []*process
	edges   []*process
	nginx   *process

	directURL, publicURL string
	ingestURLs, edgeURLs []string
}

const (
	masters = 3
	ingests = 2
	edges   = 3
)

// startFleet starts everything, in an order in which each finds what it needs.
func startFleet(ctx context.Context, dir, binary string, tps int) (*fleet, error) {
	f := &fleet{dir: dir}
	for _, step := range []func(context.Context, string, int) error{f.startRedis, f.startChain, f.startIngests, f.startEdges, f.startNginx} {
		if err := step(ctx, binary, tps); err != nil {
			return f, err
		}
	}
	return f, nil
}

// startRedis makes a Cluster that keeps what it was told through a crash.
func (f *fleet) startRedis(ctx context.Context, _ string, _ int) error {
	for i := range masters {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		bus, err := freePort(ctx)
		if err != nil {
			return err
		}
		name := "redis" + strconv.Itoa(i+1)
		dir := filepath.Join(f.dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		p := &process{name: name, binary: "redis-server", dir: dir, args: []string{
			"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
			"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-announce-ip", "127.0.0.1", "--cluster-node-timeout", "2000",
		}}
		if err := p.start(ctx); err != nil {
			return err
		}
		if i == 0 {
			f.bus = bus
		}
		f.redis, f.ports = append(f.redis, p), append(f.ports, port)
		if err := listening(ctx, "127.0.0.1:"+port); err != nil {
			return err
		}
		const slots = 16384
		for _, args := range [][]string{
			{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
			{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i * slots / masters), strconv.Itoa((i+1)*slots/masters - 1)},
		} {
			if err := f.redisDo(ctx, i, args...); err != nil {
				return err
			}
		}
		if i > 0 {
			if err := f.redisDo(ctx, i, "CLUSTER", "MEET", "127.0.0.1", f.ports[0], f.bus); err != nil {
				return err
			}
		}
	}
	return f.redisWell(ctx)
}

func (f *fleet) redisDo(ctx context.Context, node int, args ...string) error {
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-p", f.ports[node]}, args...)...).CombinedOutput() //nolint:gosec // the drill's own arguments
	if err != nil || !strings.HasPrefix(string(out), "OK") {
		return fmt.Errorf("redis-cli %v: %w: %s", args, err, out)
	}
	return nil
}

// redisWell waits until all of the Cluster says that it is well.
func (f *fleet) redisWell(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); ; {
		well := 0
		for _, port := range f.ports {
			out, err := exec.CommandContext(ctx, "redis-cli", "-p", port, "CLUSTER", "INFO").Output() //nolint:gosec // as above
			if err == nil && strings.Contains(string(out), "cluster_state:ok") && strings.Contains(string(out), "cluster_size:3") {
				well++
			}
		}
		if well == masters {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the cluster is not well: %d of %d", well, masters)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (f *fleet) startChain(ctx context.Context, binary string, tps int) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	f.geyser = &process{name: "geyser", binary: binary, dir: f.dir, args: []string{
		"geyser", "--log-format", "json", "--source", fmt.Sprintf("market:?seed=7&tps=%d", tps), "--listen", "127.0.0.1:" + port,
	}}
	if err := f.geyser.start(ctx); err != nil {
		return err
	}
	if err := listening(ctx, "127.0.0.1:"+port); err != nil {
		return err
	}
	f.direct, f.directURL, err = f.serve(ctx, binary, "direct", "--source", "grpc://127.0.0.1:"+port)
	return err
}

// serve starts a server on a port that stays its own.
func (f *fleet) serve(ctx context.Context, binary, name string, args ...string) (*process, string, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, "", err
	}
	// Half of the clients of an edge may meet on each of the others.
	args = append([]string{"serve", "--log-format", "json", "--listen", "127.0.0.1:" + port, "--admin-listen", "127.0.0.1:0", "--drain-timeout", "10s"}, args...)
	p := &process{name: name, binary: binary, dir: f.dir, args: args, served: serves}
	return p, "http://127.0.0.1:" + port, p.start(ctx)
}

func (f *fleet) redisURL() string {
	hosts := make([]string, 0, masters)
	for _, port := range f.ports {
		hosts = append(hosts, "127.0.0.1:"+port)
	}
	return "redis-cluster://" + strings.Join(hosts, ",")
}

func (f *fleet) startIngests(ctx context.Context, binary string, _ int) error {
	source := "grpc://" + f.geyser.args[len(f.geyser.args)-1]
	for i := range ingests {
		p, url, err := f.serve(ctx, binary, "ingest"+strconv.Itoa(i+1), "--role", "ingest", "--redis-url", f.redisURL(), "--source", source)
		if err != nil {
			return err
		}
		f.ingests, f.ingestURLs = append(f.ingests, p), append(f.ingestURLs, url)
	}
	return nil
}

func (f *fleet) startEdges(ctx context.Context, binary string, _ int) error {
	for i := range edges {
		p, url, err := f.serve(ctx, binary, "edge"+strconv.Itoa(i+1), "--role", "edge", "--redis-url", f.redisURL())
		if err != nil {
			return err
		}
		f.edges, f.edgeURLs = append(f.edges, p), append(f.edgeURLs, url)
	}
	for _, url := range f.edgeURLs {
		if err := ready(ctx, url); err != nil {
			return err
		}
	}
	return nil
}

// ready waits until a server says that clients may come.
func ready(ctx context.Context, url string) error {
	for deadline := time.Now().Add(time.Minute); ; {
		status, _, err := get(ctx, url+"/readyz")
		if err == nil && status == http.StatusOK {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready: %d %w", url, status, err)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// startNginx starts nginx with the configuration that is shipped, but for its ports.
func (f *fleet) startNginx(ctx context.Context, _ string, _ int) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	dir := filepath.Join(f.dir, "nginx")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config, err := os.ReadFile(filepath.Join("deploy", "nginx", "nginx.conf"))
	if err != nil {
		return fmt.Errorf("start it in the folder of the repository: %w", err)
	}
	text := strings.Replace(string(config), "listen 8000 ", "listen 127.0.0.1:"+port+" ", 1)
	list, err := os.ReadFile(filepath.Join("deploy", "nginx", "edges.conf"))
	if err != nil {
		return err
	}
	upstreams := string(list)
	for i, url := range f.edgeURLs {
		upstreams = strings.Replace(upstreams, "127.0.0.1:808"+strconv.Itoa(i+1), strings.TrimPrefix(url, "http://"), 1)
	}
	for name, content := range map[string]string{"nginx.conf": text, "edges.conf": upstreams} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	f.nginx = &process{name: "nginx", binary: "nginx", dir: dir, args: []string{"-p", dir, "-c", "nginx.conf", "-g", "daemon off;"}}
	if err := f.nginx.start(ctx); err != nil {
		return err
	}
	f.publicURL = "http://127.0.0.1:" + port
	return listening(ctx, "127.0.0.1:"+port)
}

// leader is the index of the ingest that publishes.
func (f *fleet) leader(ctx context.Context) (int, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		out, err := exec.CommandContext(ctx, "redis-cli", "-c", "-p", f.ports[0], "HGET", "{swapcast}:lease", "info").Output() //nolint:gosec // as above
		var info struct{ HTTP string }
		if err == nil && json.Unmarshal([]byte(strings.TrimSpace(string(out))), &info) == nil {
			for i, url := range f.ingestURLs {
				if url == info.HTTP {
					return i, nil
				}
			}
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("no ingest leads: %w: %s", err, out)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// stop ends everything that runs.
func (f *fleet) stop() {
	if f.nginx != nil && f.nginx.cmd != nil {
		_ = f.nginx.leave(10 * time.Second) // a killed one would leave its workers behind
	}
	all := append([]*process{f.nginx}, f.edges...)
	all = append(all, f.ingests...)
	all = append(all, f.direct, f.geyser)
	all = append(all, f.redis...)
	for _, p := range all {
		if p != nil && p.cmd != nil {
			_ = p.kill() // what it was to say, it has said
		}
	}
}

func get(ctx context.Context, url string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	var body json.RawMessage
	err = json.NewDecoder(answer.Body).Decode(&body)
	return answer.StatusCode, body, err
}
