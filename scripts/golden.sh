#!/usr/bin/env bash
# Rewrites the golden files of every package whose tests know the -update flag,
# then shows what changed. The diff is the review.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t dirs < <(grep -rlE 'flag\.Bool\("update"' --include='*_test.go' . | xargs -r -n1 dirname | sort -u)
if ((${#dirs[@]} == 0)); then
	echo "golden: no package has golden files" >&2
	exit 1
fi
for dir in "${dirs[@]}"; do
	echo "golden: $dir"
	go test -count 1 "$dir" -update
done
git status --short -- '*testdata*' 2>/dev/null || true
