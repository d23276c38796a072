#!/usr/bin/env bash
# Runs stock clients (Hocuspocus providers 2, 3 and 4, y-websocket, pycrdt) against the real binary, each file of tests with a
# server of its own. CODEROOM_BIN names the binary.
set -euo pipefail
cd "$(dirname "$0")"
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi
if [ ! -e .venv/ready ] || [ requirements.txt -nt .venv/ready ]; then
  python3 -m venv .venv
  .venv/bin/pip --quiet --disable-pip-version-check install -r requirements.txt
  touch .venv/ready
fi
exec node --test --test-reporter=tap ./*.test.mjs
