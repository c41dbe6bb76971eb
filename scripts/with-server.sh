#!/usr/bin/env bash
# Runs a command against a swapcast server of its own: builds the binary, starts it on
# free ports with the built-in market, waits until it is ready, and ends it afterwards.
# The command finds it in URL (ws://.../ws), HTTP_URL and ADMIN_URL.
#
#   scripts/with-server.sh COMMAND [ARGUMENT...]
#
# TPS        transactions a second of the built-in market (500)
# SERVE      further arguments of the server, such as '--max-connections 500'
# METRONOME  set: loadtest/metronome in place of swapcast serve, with these arguments
# EDGES      set: a Redis, one ingest, and servers that are its edges
# COUNT      so many servers (1); all of them are in URLS and ADMIN_URLS, with spaces between
# LOGS       folder for the servers' logs; without it they are shown if one does not start
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
logs=${LOGS:-$work}
pids=()
cleanup() {
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in ${pids[@]+"${pids[@]}"}; do
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT

make -s build
if [[ -n "${METRONOME+set}" ]]; then
	"${GO:-go}" build -o bin/metronome ./loadtest/metronome
	read -ra program <<<"bin/metronome -listen 127.0.0.1:0 -admin-listen 127.0.0.1:0 $METRONOME"
else
	read -ra program <<<"bin/swapcast serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --source market:?seed=1&tps=${TPS:-500} ${SERVE:-}"
fi

# start NAME COMMAND... starts a server and waits until it is ready, at $address and $admin.
start() {
	local log=$logs/$1.log pid ready=no
	shift
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
	for _ in $(seq 150); do
		address=$(sed -nE 's|.* page=http://([^/ ]+)/.*|\1|p' "$log" | head -1)
		admin=$(sed -nE 's|.* admin=http://([^/ ]+)/.*|\1|p' "$log" | head -1)
		if [[ -n "$address" ]] && bin/swapcast healthcheck --url "http://$address/readyz" >/dev/null 2>&1; then
			ready=yes
			break
		fi
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	if [[ $ready != yes ]]; then
		cat "$log" >&2
		echo "with-server: the server is not ready" >&2
		exit 1
	fi
}

if [[ -n "${EDGES+set}" ]]; then
	port=$((20000 + RANDOM % 10000))
	redis-server --port $port --bind 127.0.0.1 --save '' --appendonly no --maxclients 1000 >"$logs/redis.log" 2>&1 </dev/null &
	pids+=("$!")
	start ingest "${program[@]}" --role ingest --redis-url "redis://127.0.0.1:$port"
	read -ra program <<<"bin/swapcast serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 --role edge --redis-url redis://127.0.0.1:$port ${SERVE:-}"
fi

URLS='' ADMIN_URLS=''
for n in $(seq "${COUNT:-1}"); do
	start "server-$n" "${program[@]}"
	URLS+="${URLS:+ }ws://$address/ws"
	ADMIN_URLS+="${ADMIN_URLS:+ }http://$admin"
done

export URLS ADMIN_URLS URL=${URLS%% *} ADMIN_URL=${ADMIN_URLS%% *}
HTTP_URL=${URL/#ws/http}
export HTTP_URL=${HTTP_URL%/ws}
"$@"
