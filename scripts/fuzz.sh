#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time
# each, and ends with a table of what each has executed. Go fuzzes one target of
# one package at a time, so they are found here.
#
#   scripts/fuzz.sh [TIME] [PATTERN]    e.g. 30m, or 1m 'parser FuzzParse'
#
# PATTERN is an extended regular expression that "folder target" must match. What
# Go finds interesting stays in its cache ($(go env GOCACHE)/fuzz) and is begun
# with the next time; scripts/fuzz-keep.sh takes the useful part of it into
# testdata/fuzz. An input that fails is written there by Go itself: commit it
# with the mending.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-20s}
pattern=${2:-}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

rows=()
failed=0
while read -r dir; do
	while read -r target; do
		name="${dir#"$PWD"/} $target"
		[[ "$name" =~ $pattern ]] || continue
		echo "fuzz: $name for $time"
		result=ok
		if ! go test -run '^$' -fuzz "^${target}\$" -fuzzminimizetime 5x -fuzztime "$time" "$dir" </dev/null | tee "$log"; then
			result=FAILED
			failed=$((failed + 1))
		fi
		# fuzz: elapsed: 20s, execs: 83102 (4150/sec), new interesting: 3 (total: 210)
		counts=$(sed -nE 's/.*elapsed: ([^,]+), execs: ([0-9]+) \(.*new interesting: ([0-9]+) \(total: ([0-9]+)\).*/\1 \2 \3 \4/p' "$log" | tail -1)
		# None where the time was over before Go had run all the inputs it began with.
		rows+=("$name ${counts:-$time 0 - -} $result")
	done < <(find "$dir" -maxdepth 1 -name '*_test.go' -exec grep -hoE '^func Fuzz[A-Za-z0-9_]+' {} + | sed 's/^func //' | sort)
done < <(go list -f '{{.Dir}}' ./...)

if ((${#rows[@]} == 0)); then
	echo "fuzz: found no target" >&2
	exit 1
fi
echo
{
	echo "folder target elapsed execs new total result"
	printf '%s\n' "${rows[@]}"
} | column -t
if ((failed > 0)); then
	echo "fuzz: $failed of ${#rows[@]} targets failed" >&2
	exit 1
fi
echo "fuzz: ${#rows[@]} targets, nothing found"
