#!/usr/bin/env bash
# Runs a k6 script against a server of its own: builds the binary, starts it on
# a free port with the built-in market, and fails unless every check passes.
#
#   scripts/k6-test.sh SCRIPT [k6 arguments]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

script=$1
shift

work=$(mktemp -d)
pid=
cleanup() {
	if [[ -n "$pid" ]]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT

make -s build
bin/swapcast serve --source 'market:?seed=1&tps=500' --listen 127.0.0.1:0 --admin-listen '' \
	>"$work/serve.log" 2>&1 </dev/null &
pid=$!

address=
for _ in $(seq 150); do
	address=$(sed -nE 's|.*page=http://([^/ ]+)/.*|\1|p' "$work/serve.log" | head -1)
	if [[ -n "$address" ]] && bin/swapcast healthcheck --url "http://$address/readyz" >/dev/null 2>&1; then
		ready=yes
		break
	fi
	if ! kill -0 "$pid" 2>/dev/null; then
		break
	fi
	sleep 0.2
done
if [[ "${ready:-}" != yes ]]; then
	cat "$work/serve.log" >&2
	echo "k6-test: the server is not ready" >&2
	exit 1
fi

echo "k6-test: $script against $address"
URL="ws://$address/ws" .tools/k6 run --no-usage-report --quiet "$@" "$script" </dev/null
