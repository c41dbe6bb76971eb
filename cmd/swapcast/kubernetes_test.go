package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// object is one of the objects in deploy/kubernetes.
type object struct {
	file string
	kind string
	name string
	root map[string]any
}

// at walks down to a value, nil where it is not there.
func at(v any, path ...any) any {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			list, _ := v.([]any)
			if key >= len(list) {
				return nil
			}
			v = list[key]
		}
	}
	return v
}

// versions are the kinds that are used, with the API versions that serve them.
var versions = map[string]string{ //nolint:gochecknoglobals // a constant table
	"ConfigMap": "v1", "Secret": "v1", "Service": "v1", "Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1",
	"HorizontalPodAutoscaler": "autoscaling/v2", "NetworkPolicy": "networking.k8s.io/v1",
}

// fields are the names of all fields that Kubernetes knows of those that are used: a
// name that is not here is a mistake, or to be added with care. Kubernetes itself
// passes over what it does not know.
const fields = `apiVersion kind metadata name labels namespace data stringData spec replicas strategy rollingUpdate maxUnavailable
 maxSurge selector matchLabels template topologySpreadConstraints maxSkew topologyKey whenUnsatisfiable labelSelector
 automountServiceAccountToken terminationGracePeriodSeconds securityContext runAsNonRoot runAsUser seccompProfile type containers
 image args env valueFrom fieldRef fieldPath envFrom configMapRef secretRef ports containerPort startupProbe livenessProbe
 readinessProbe httpGet path port periodSeconds failureThreshold lifecycle preStop sleep seconds resources requests limits cpu memory
 allowPrivilegeEscalation readOnlyRootFilesystem capabilities drop minAvailable targetPort scaleTargetRef minReplicas maxReplicas
 metrics pods metric target averageValue resource averageUtilization behavior scaleDown stabilizationWindowSeconds policies value
 podSelector policyTypes ingress egress from to namespaceSelector protocol`

// free are the fields below which names are the user's own.
const free = "labels matchLabels data stringData"

func readObjects(t *testing.T) []object {
	t.Helper()
	files, err := filepath.Glob(deployFile("kubernetes", "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	known, own := strings.Fields(fields), strings.Fields(free)
	var objects []object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var root map[string]any
			err := documents.Decode(&root) // a name that stands there twice is an error
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			o := object{file: filepath.Base(file), root: root}
			o.kind, _ = root["kind"].(string)
			o.name, _ = at(root, "metadata", "name").(string)
			if versions[o.kind] == "" || root["apiVersion"] != versions[o.kind] || o.name == "" {
				t.Errorf("%s: %v %v %q", o.file, root["apiVersion"], root["kind"], o.name)
			}
			var check func(path string, v any)
			check = func(path string, v any) {
				switch v := v.(type) {
				case map[string]any:
					for key, below := range v {
						if !slices.Contains(known, key) && !strings.Contains(key, "/") { // a label's name has a slash
							t.Errorf("%s: %s %s: no such field: %s.%s", o.file, o.kind, o.name, path, key)
						}
						if !slices.Contains(own, key) {
							check(path+"."+key, below)
						}
					}
				case []any:
					for i, below := range v {
						check(fmt.Sprintf("%s[%d]", path, i), below)
					}
				}
			}
			check("", root)
			objects = append(objects, o)
		}
	}
	return objects
}

// matches tells whether labels have all of a selector, which must not be empty.
func matches(selector, labels any) bool {
	s, _ := selector.(map[string]any)
	l, _ := labels.(map[string]any)
	for key, value := range s {
		if l[key] != value {
			return false
		}
	}
	return len(s) > 0
}

// workload is a Deployment of swapcast.
type workload struct {
	object
	container any
	labels    any
	serve     *serveCmd
	ports     map[string]int
}

// TestKubernetes holds deploy/kubernetes against itself and against the program:
// what selects something, selects it; what is named, is there; the flags and
// variables are the program's, and its ports are those that are let through.
func TestKubernetes(t *testing.T) {
	objects := readObjects(t)
	find := func(kind, name any) *object {
		for i := range objects {
			if objects[i].kind == kind && objects[i].name == name {
				return &objects[i]
			}
		}
		t.Errorf("there is no %v %v", kind, name)
		return &object{}
	}
	var workloads []workload
	for _, o := range objects {
		if o.kind == "Deployment" {
			workloads = append(workloads, readWorkload(t, &o, find))
		}
	}
	if len(workloads) != 2 {
		t.Fatalf("%d workloads", len(workloads))
	}
	selected := func(o *object, selector any) (found []workload) {
		for _, w := range workloads {
			if matches(selector, w.labels) {
				found = append(found, w)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s %s selects nothing: %v", o.kind, o.name, selector)
		}
		return found
	}
	for _, o := range objects {
		switch o.kind {
		case "Service":
			for _, w := range selected(&o, at(o.root, "spec", "selector")) {
				if port, _ := at(o.root, "spec", "ports", 0, "targetPort").(string); w.ports[port] == 0 || w.serve.Role != roleEdge {
					t.Errorf("Service %s: %s has no port %q", o.name, w.name, port)
				}
			}
		case "PodDisruptionBudget":
			selected(&o, at(o.root, "spec", "selector", "matchLabels"))
		case "HorizontalPodAutoscaler":
			ref := at(o.root, "spec", "scaleTargetRef")
			d := find(at(ref, "kind"), at(ref, "name"))
			if at(d.root, "spec", "replicas") != nil {
				t.Errorf("%s has replicas, which each apply would take from the autoscaler", d.name)
			}
			if metric := at(o.root, "spec", "metrics", 0, "pods", "metric", "name"); metric != "swapcast_ws_connections" {
				t.Errorf("scales by %v", metric)
			}
		case "NetworkPolicy":
			checkPolicy(t, &o, selected(&o, at(o.root, "spec", "podSelector", "matchLabels")))
		}
	}
}

// readWorkload checks a Deployment by itself.
func readWorkload(t *testing.T, o *object, find func(kind, name any) *object) workload {
	t.Helper()
	pod := at(o.root, "spec", "template", "spec")
	w := workload{object: *o, container: at(pod, "containers", 0), labels: at(o.root, "spec", "template", "metadata", "labels"), ports: map[string]int{}}
	if !matches(at(o.root, "spec", "selector", "matchLabels"), w.labels) {
		t.Errorf("%s does not select its own pods", o.name)
	}
	if !matches(at(pod, "topologySpreadConstraints", 0, "labelSelector", "matchLabels"), w.labels) {
		t.Errorf("%s spreads other pods", o.name)
	}
	ports, _ := at(w.container, "ports").([]any)
	for _, p := range ports {
		name, _ := at(p, "name").(string)
		w.ports[name], _ = at(p, "containerPort").(int)
	}
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		path, port := at(w.container, probe, "httpGet", "path"), at(w.container, probe, "httpGet", "port")
		if name, _ := port.(string); w.ports[name] == 0 || path != "/healthz" && path != "/readyz" {
			t.Errorf("%s: %s asks %v of %v", o.name, probe, path, port)
		}
	}

	// The command line and the variables, as the program reads them.
	variables := map[string]string{}
	sources, _ := at(w.container, "envFrom").([]any)
	for _, source := range sources {
		for key, kind := range map[string]string{"configMapRef": "ConfigMap", "secretRef": "Secret"} {
			if at(source, key) == nil {
				continue
			}
			from := find(kind, at(source, key, "name")).root
			for _, values := range []any{at(from, "data"), at(from, "stringData")} {
				m, _ := values.(map[string]any)
				for name, value := range m {
					variables[name] = fmt.Sprint(value)
				}
			}
		}
	}
	var cli commandLine
	parser, err := kong.New(&cli, kong.DefaultEnvars("SWAPCAST"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, group := range parser.Model.Leaves(false) {
		if group.Name == "serve" {
			for _, flags := range group.AllFlags(false) {
				for _, flag := range flags {
					for _, name := range flag.Envs {
						known[name] = true
					}
				}
			}
		}
	}
	for name, value := range variables {
		if !known[name] {
			t.Errorf("%s: serve has no variable %s", o.name, name)
		}
		t.Setenv(name, value)
	}
	var args []string
	list, _ := at(w.container, "args").([]any)
	for _, a := range list {
		args = append(args, strings.ReplaceAll(fmt.Sprint(a), "$(POD_IP)", "10.1.2.3"))
	}
	if _, err := parser.Parse(args); err != nil {
		t.Fatalf("%s: %v", o.name, err)
	}
	for name := range variables {
		_ = os.Unsetenv(name) // the test's own cleanup sets what was there
	}
	w.serve = &cli.Serve
	if err := w.serve.validate(); err != nil {
		t.Errorf("%s: %v", o.name, err)
	}
	for name, listen := range map[string]string{"http": w.serve.Listen, "admin": w.serve.AdminListen} {
		if _, port, _ := net.SplitHostPort(listen); port != fmt.Sprint(w.ports[name]) {
			t.Errorf("%s: port %s is %d, the program listens on %s", o.name, name, w.ports[name], listen)
		}
	}
	grace, _ := at(pod, "terminationGracePeriodSeconds").(int)
	pause, _ := at(w.container, "lifecycle", "preStop", "sleep", "seconds").(int)
	if needed := time.Duration(pause)*time.Second + w.serve.DrainTimeout + 10*time.Second; time.Duration(grace)*time.Second < needed {
		t.Errorf("%s: %d s are too little to drain, %s are needed", o.name, grace, needed)
	}
	if w.serve.Role == roleEdge && pause == 0 {
		t.Errorf("%s has no preStop", o.name)
	}
	return w
}

// checkPolicy checks that a policy lets through the ports that its pods have.
func checkPolicy(t *testing.T, o *object, pods []workload) {
	t.Helper()
	for _, w := range pods {
		through := map[int]bool{}
		rules, _ := at(o.root, "spec", "ingress").([]any)
		for _, rule := range rules {
			list, _ := at(rule, "ports").([]any)
			for _, p := range list {
				port, _ := at(p, "port").(int)
				through[port] = true
			}
		}
		want := slices.Sorted(maps.Values(w.ports))
		if got := slices.Sorted(maps.Keys(through)); !slices.Equal(got, want) {
			t.Errorf("NetworkPolicy %s lets %v through, %s has %v", o.name, got, w.name, want)
		}
	}
}

// TestNginx has nginx check the configuration that is shipped.
func TestNginx(t *testing.T) {
	nginx := tool(t, "nginx")
	dir := t.TempDir()
	for _, name := range []string{"nginx.conf", "edges.conf"} {
		text, err := os.ReadFile(deployFile("nginx", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), nginx, "-t", "-p", dir, "-c", "nginx.conf").CombinedOutput() //nolint:gosec // a test's own arguments
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
