#!/usr/bin/env bash
# Rewrites the golden files of every package whose tests know the -update flag,
# then lists what changed. The diff is the review.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=0
while read -r dir; do
	if find "$dir" -maxdepth 1 -name '*_test.go' -exec grep -qE 'flag\.Bool\("update"' {} +; then
		echo "golden: ${dir#"$PWD"/}"
		go test -count 1 "$dir" -update </dev/null
		count=$((count + 1))
	fi
done < <(go list -f '{{.Dir}}' ./...)

if ((count == 0)); then
	echo "golden: no package has golden files" >&2
	exit 1
fi
git status --short -- ':(glob)**/testdata/**' 2>/dev/null || true
