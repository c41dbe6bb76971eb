#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the given time
# each. Go fuzzes one target of one package at a time, so they are found here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-20s}
count=0
while read -r dir; do
	while read -r target; do
		echo "fuzz: ${dir#"$PWD"/} $target for $time"
		go test -run '^$' -fuzz "^${target}\$" -fuzzminimizetime 5x -fuzztime "$time" "$dir" </dev/null
		count=$((count + 1))
	done < <(find "$dir" -maxdepth 1 -name '*_test.go' -exec grep -hoE '^func Fuzz[A-Za-z0-9_]+' {} + | sed 's/^func //' | sort)
done < <(go list -f '{{.Dir}}' ./...)

if ((count == 0)); then
	echo "fuzz: found no target" >&2
	exit 1
fi
echo "fuzz: $count targets, nothing found"
