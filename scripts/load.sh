#!/usr/bin/env bash
# Load tests, each with servers of its own on loopback. loadtest/README.md says what they
# show.
#
#   scripts/load.sh PROFILE        short, full, k6, soak, tokens, most, edges, fleet, storm, slow
#
# SCALE=0.05 makes every number of connections that part of itself, to try a profile out;
# reports are in dist/load/PROFILE. Exit code 1: something that must hold did not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

profile=${1:?usage: scripts/load.sh PROFILE}
out=$PWD/dist/load/$profile
failed=()

# scaled N is N connections at the scale of this run.
scaled() { awk -v n="$1" -v s="${SCALE:-1}" 'BEGIN { v = int(n * s); print (v < 1 ? 1 : v) }'; }

# k6 NAME [VARIABLE=VALUE...] runs loadtest/k6/NAME.js against the server at URL.
k6() {
	local name=$1
	shift
	echo "--- k6 $name $*"
	# The dashboard needs more than three periods for its plots.
	env "$@" SUMMARY="$out/k6-$name.json" TEST_ID="k6-$name" \
		K6_WEB_DASHBOARD=true K6_WEB_DASHBOARD_PORT=-1 K6_WEB_DASHBOARD_PERIOD="${PERIOD:-1s}" K6_WEB_DASHBOARD_EXPORT="$out/k6-$name.html" \
		.tools/k6 run --no-usage-report --quiet "loadtest/k6/$name.js" </dev/null 2>&1 | tee "$out/k6-$name.txt" || failed+=("k6 $name")
}

# swarm NAME ARGUMENT... runs swapcast load against all servers.
swarm() {
	local name=$1 servers=()
	shift
	for u in $URLS; do servers+=(--url "$u"); done
	for a in $ADMIN_URLS; do servers+=(--admin "$a"); done
	echo "--- swapcast load $*"
	bin/swapcast load "${servers[@]}" --test-id "$name" --report "$out/$name" "$@" 2>&1 | tee "$out/$name.txt" || failed+=("$name")
}

# The steps of a profile run in a shell of with-server.sh; --inside says that this is it.
if [[ "${2:-}" != --inside ]]; then
	case $profile in
	short | soak) ;;
	# At 500 transactions a second 10,000 VUs would be sent 170,000 messages a second. k6 takes
	# 70 us a message: beside the server on two cores it is on time up to some 8,000.
	full | k6) export TPS=20 ;;
	tokens | slow) export METRONOME="-tokens 100 -rate 20" ;;
	most) export METRONOME="-tokens 100 -rate 2" ;;
	edges) export METRONOME="-tokens 100 -rate 0.5" COUNT=6 ;;
	fleet) export EDGES=yes COUNT=6 TPS=10 ;;
	storm) export METRONOME="-tokens 100 -rate 5" ;;
	*)
		sed -n '2,9p' "$0" >&2
		exit 2
		;;
	esac
	scripts/tools.sh k6
	mkdir -p "$out"
	LOGS=$out exec scripts/with-server.sh "$0" "$profile" --inside
fi

case $profile in
short) # under 3 minutes on two cores
	wide="P95_MS=2000 P99_MS=5000" # other programs may be running
	k6 price_streams $wide VUS="$(scaled 100)" RAMP=5s HOLD=15s DOWN=3s SESSION_MIN=5s SESSION_MAX=10s
	k6 mixed $wide VUS="$(scaled 30)" TRADE_VUS="$(scaled 10)" RAMP=3s HOLD=12s DOWN=3s SESSION_MIN=5s SESSION_MAX=10s QUOTES=5 PORTFOLIOS=5 LOOKUPS=10 PORTFOLIO_P99_MS=2000 MIN_HTTP_OK=0.95 MAX_DROPPED=20
	k6 churn $wide VUS="$(scaled 100)" EVERY=8s WITHIN=3s STORMS=1
	swarm streams -c "$(scaled 1000)" --mix streams=85,churn=10,slow=5 --ramp 5s -d 15s
	swarm conflated -c "$(scaled 1000)" --mix multi --window-ms 100 --ramp 5s -d 15s --baseline "$out/streams/report.json"
	;;
k6) # 10,000 VUs: ramp 5 min, hold 10 min, ramp down 1 min; 6 GB
	PERIOD=5s k6 price_streams VUS="$(scaled 10000)" SAMPLE=10
	;;
full)
	export PERIOD=5s
	k6 price_streams VUS="$(scaled 10000)" SAMPLE=10
	k6 multi_token VUS="$(scaled 1000)" SAMPLE=20 QUERY=window_ms=250
	k6 balances VUS="$(scaled 1000)"
	k6 churn VUS="$(scaled 10000)" SAMPLE=10
	k6 spike BASE_VUS="$(scaled 500)" PEAK_VUS="$(scaled 5000)" SAMPLE=10
	k6 slow_readers VUS="$(scaled 1000)" SAMPLE=20 TOKENS_EACH=3
	k6 mixed VUS="$(scaled 800)" TRADE_VUS="$(scaled 200)" SAMPLE=5
	swarm streams -c "$(scaled 10000)" --ramp 30s -d 120s
	swarm storm -c "$(scaled 10000)" --ramp 30s -d 90s --storm 10s
	;;
soak)
	PERIOD=30s k6 soak VUS="$(scaled 1000)" SAMPLE=10
	;;
tokens) # ten of a hundred tokens each, each at 20 updates a second: 2,000,000 a second offered
	swarm all -c "$(scaled 10000)" --mix multi --ramp 30s -d 60s
	swarm window-50 -c "$(scaled 10000)" --mix multi --window-ms 50 --ramp 30s -d 60s --baseline "$out/all/report.json"
	swarm window-100 -c "$(scaled 10000)" --mix multi --window-ms 100 --batch --ramp 30s -d 60s --baseline "$out/window-50/report.json"
	;;
most) # as many as one server process and one generator process may hold
	swarm most -c "$(scaled 19000)" --ramp 60s -d 60s
	;;
edges) # six servers, six processes of the generator
	swarm edges -c "$(scaled 100000)" --processes 6 --loops 1 --ramp "${RAMP:-120s}" -d "${HOLD:-60s}"
	;;
fleet) # the same through Redis: one ingest, six edges
	swarm fleet -c "$(scaled 100000)" --processes 6 --loops 1 --ramp "${RAMP:-120s}" -d "${HOLD:-60s}"
	;;
storm) # everybody leaves, and returns within 10 s
	swarm storm -c "$(scaled 10000)" --ramp 30s -d 90s --storm 10s
	;;
slow) # do slow readers delay the others?
	swarm without -c "$(scaled 2000)" --mix multi --tokens-each 5 --ramp 15s -d 60s
	swarm with-slow -c "$(scaled 2000)" --mix multi=95,slow=5 --tokens-each 5 --ramp 15s -d 60s --baseline "$out/without/report.json"
	;;
esac

echo
echo "reports:"
find "$out" -name '*.html' -newer "$out/server-1.log" -o -name 'report.txt' -newer "$out/server-1.log" | sort | sed 's/^/  /'
if ((${#failed[@]} > 0)); then
	printf 'load: FAILED:'
	printf ' [%s]' "${failed[@]}"
	echo
	exit 1
fi
echo "load: passed"
