#!/bin/sh
# Puts k6 v1.8.1 into .tools/ at the root of the repository and prints its path.
# The version is pinned in one place, scripts/tools.sh, where that exists.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ -x "$root/scripts/tools.sh" ]; then
	"$root/scripts/tools.sh" k6 >&2
elif ! [ -x "$root/.tools/k6" ]; then
	GOBIN="$root/.tools" GOFLAGS= go install go.k6.io/k6@v1.8.1 >&2
fi
echo "$root/.tools/k6"
