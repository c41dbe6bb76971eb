#!/usr/bin/env bash
# Runs every fuzz target of the tree, one after the other, for the given time
# each. Go fuzzes one target of one package at a time, so they are found here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

time=${1:-20s}
count=0
while IFS=: read -r file target; do
	dir=$(dirname "$file")
	echo "fuzz: $dir $target for $time"
	go test -run '^$' -fuzz "^${target}\$" -fuzztime "$time" "$dir" </dev/null
	count=$((count + 1))
done < <(grep -rnoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . |
	sed -E 's/^([^:]+):[0-9]+:func (Fuzz.*)$/\1:\2/' | sort)

if ((count == 0)); then
	echo "fuzz: found no target" >&2
	exit 1
fi
echo "fuzz: $count targets, nothing found"
