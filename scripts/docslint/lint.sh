#!/usr/bin/env bash
# Lints both API documents with the pinned Redocly CLI (see package.json here;
# scripts/test-deps.sh installs it). No network is used.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
exec scripts/docslint/node_modules/.bin/redocly lint \
	--config scripts/docslint/redocly.yaml \
	api/openapi.json stream/wire/asyncapi.json
