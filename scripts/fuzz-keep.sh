#!/usr/bin/env bash
# Takes the useful part of what fuzzing found into testdata/fuzz, to be committed:
# of Go's cached inputs, smallest first, those that run a block of the package's
# code which neither the seeds nor a kept one runs. Go itself keeps every input
# that changes a counter, thousands of them.
#
#   scripts/fuzz-keep.sh [PATTERN]      as of scripts/fuzz.sh
#
# Inputs above MAX_BYTES (8192) are left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pattern=${1:-}
max=${MAX_BYTES:-8192}
cache=$(go env GOCACHE)/fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# covered RUN prints the blocks that a run of the test covers; nothing if it fails.
covered() {
	rm -f "$work/cover"
	if "$work/test" -test.run "$1" -test.coverprofile "$work/cover" >/dev/null 2>&1; then
		awk 'NR > 1 && $3 > 0 { print $1 }' "$work/cover" | sort
	fi
}

kept=0
while read -r package dir; do
	built=
	while read -r target; do
		name="${dir#"$PWD"/} $target"
		[[ "$name" =~ $pattern ]] || continue
		from="$cache/$package/$target"
		[[ -d "$from" ]] || continue
		if [[ -z "$built" ]]; then
			go test -c -cover -o "$work/test" "$dir"
			built=yes
		fi
		to="$dir/testdata/fuzz/$target"
		mkdir -p "$to"
		cd "$dir"
		covered "^${target}\$" >"$work/seen"
		count=0
		while read -r _ input; do
			[[ -e "$to/$input" ]] && continue
			cp "$from/$input" "$to/$input"
			covered "^${target}\$/^${input}\$" >"$work/one"
			if [[ -n "$(comm -13 "$work/seen" "$work/one" | head -1)" ]]; then
				sort -u -o "$work/seen" "$work/seen" "$work/one"
				count=$((count + 1))
			else
				rm "$to/$input"
			fi
		done < <(find "$from" -type f -size "-$((max + 1))c" -printf '%s %f\n' | sort -n)
		cd - >/dev/null
		rmdir -p --ignore-fail-on-non-empty "$to" 2>/dev/null || true
		echo "fuzz-keep: $name: $count of $(find "$from" -type f | wc -l)"
		kept=$((kept + count))
	done < <(find "$dir" -maxdepth 1 -name '*_test.go' -exec grep -hoE '^func Fuzz[A-Za-z0-9_]+' {} + | sed 's/^func //' | sort)
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
echo "fuzz-keep: $kept inputs added"
