#!/usr/bin/env bash
# Runs the browser tests: Debian's Chromium against the real binary. Names of files run these only.
set -euo pipefail
cd "$(dirname "$0")"
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
fi
[ $# -gt 0 ] || set -- ./*.test.mjs
exec node --test --test-reporter=tap "$@"
