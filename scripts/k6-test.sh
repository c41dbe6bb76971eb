#!/usr/bin/env bash
# Runs a k6 script against a server of its own, and fails unless every threshold holds.
#
#   scripts/k6-test.sh SCRIPT [k6 arguments]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
script=$1
shift
scripts/with-server.sh .tools/k6 run --no-usage-report --quiet "$@" "$script" </dev/null
