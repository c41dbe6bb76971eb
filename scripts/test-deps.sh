#!/usr/bin/env bash
# Installs what the tests need beyond Go: a C compiler for the race detector,
# Chromium for the page's test, Redis for the cache's, Prometheus for its rules and the dashboards, Node.js with the pinned packages of each
# package-lock.json in the tree, and k6. What is there already is left alone,
# so a second run takes no time. Running and building the program needs none
# of this.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have() { command -v "$1" >/dev/null 2>&1; }
have_chromium() { have chromium || have chromium-browser || have google-chrome; }

# --- Debian packages --------------------------------------------------------

packages=()
have cc || packages+=(gcc libc6-dev)
have_chromium || packages+=(chromium)
have npm || packages+=(nodejs npm)
have redis-server || packages+=(redis-server)
have nginx || packages+=(nginx-light)
{ have prometheus && have promtool; } || packages+=(prometheus)

if ((${#packages[@]} > 0)); then
	if ! have apt-get; then
		echo "test-deps: this system has no apt-get. Install by hand: ${packages[*]}" >&2
		exit 1
	fi
	sudo=()
	if ((EUID != 0)); then
		if ! have sudo || ! sudo -n true 2>/dev/null; then
			echo "test-deps: installing needs root. Run this once, then try again:" >&2
			echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}" >&2
			exit 1
		fi
		sudo=(sudo -n)
	fi
	echo "test-deps: installing with apt-get: ${packages[*]}"
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	if ! {
		"${sudo[@]}" apt-get update &&
			"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
				apt-get install -y --no-install-recommends "${packages[@]}"
	} </dev/null >"$log" 2>&1; then
		tail -20 "$log" >&2
		echo "test-deps: apt-get could not install ${packages[*]}" >&2
		exit 1
	fi
	# Debian starts it as a service, on the port of our admin listener. The tests
	# start their own.
	if [[ " ${packages[*]} " == *" prometheus "* ]] && have systemctl; then
		"${sudo[@]}" systemctl disable --now prometheus >/dev/null 2>&1 || true
	fi
else
	echo "test-deps: C compiler, Chromium, npm, Redis and Prometheus are there"
fi

# --- npm packages -----------------------------------------------------------

# What the packages ask for; older Debian releases carry less.
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
	echo "test-deps: Node.js 20.19 or later is needed, this is $(node --version 2>&1 | head -1)" >&2
	exit 1
fi

# Every folder with a lock file gets exactly what the lock file says, but for
# loadtest, which no test runs. Install scripts are off: nothing needs them.
while IFS= read -r lock; do
	dir=$(dirname "$lock")
	sum=$(sha256sum "$lock" | cut -d' ' -f1)
	stamp="$dir/node_modules/.swapcast-lock"
	if [[ -f "$stamp" && "$(<"$stamp")" == "$sum" ]]; then
		echo "test-deps: npm packages of $dir are there"
		continue
	fi
	echo "test-deps: installing the npm packages of $dir"
	(cd "$dir" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null)
	mkdir -p "$dir/node_modules" && echo "$sum" >"$stamp"
done < <(find . \( -name node_modules -o -name .git -o -name .tools -o -name loadtest \) -prune -o -name package-lock.json -print | sort)

# --- k6 ---------------------------------------------------------------------

scripts/tools.sh k6
