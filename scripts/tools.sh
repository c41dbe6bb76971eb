#!/usr/bin/env bash
# Installs the pinned developer tools into ./.tools, from source, with the Go
# toolchain that builds the project. Run it again at any time: a tool that is
# there in the right version is left alone.
#
#   scripts/tools.sh            all of them
#   scripts/tools.sh k6         only the ones named
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The one place where tool versions are pinned: name, package, version.
# staticcheck is not listed: golangci-lint carries it.
tools() {
	cat <<-'LIST'
		golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0
		gofumpt       mvdan.cc/gofumpt                                       v0.12.0
		benchstat     golang.org/x/perf/cmd/benchstat                        v0.0.0-20260908200009-22c9c6c9d4da
		k6            go.k6.io/k6                                            v1.8.1
	LIST
}

bin="$PWD/.tools"
mkdir -p "$bin"

# installed NAME VERSION: is that very version there? The binary itself says
# which module version it was built from.
installed() {
	[[ -x "$bin/$1" ]] && go version -m "$bin/$1" 2>/dev/null |
		awk -v want="$2" '$1 == "mod" && $3 == want { found = 1 } END { exit !found }'
}

wanted=" $* "
known=" $(tools | awk '{ printf "%s ", $1 }')"
for name in "$@"; do
	if [[ "$known" != *" $name "* ]]; then
		echo "tools: no tool named $name; there are:$known" >&2
		exit 2
	fi
done

while read -r name pkg version; do
	if (($# > 0)) && [[ "$wanted" != *" $name "* ]]; then
		continue
	fi
	if installed "$name" "$version"; then
		echo "tools: $name $version is there"
		continue
	fi
	echo "tools: installing $name $version from source (the first time takes a minute or two)"
	start=$SECONDS
	# One line per tool rather than one per downloaded module.
	GOBIN="$bin" GOFLAGS="" go install "$pkg@$version" </dev/null 2> >(grep -v '^go: downloading' >&2 || true)
	echo "tools: $name $version took $((SECONDS - start)) s"
done < <(tools)
