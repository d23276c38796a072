#!/usr/bin/env bash
# Checks what is in deploy/ as far as that goes without Docker and Helm. Files and structure only: nothing is started.
set -euo pipefail
cd "$(dirname "$0")"
if [ ! -e .venv/ready ] || [ requirements.txt -nt .venv/ready ]; then
  python3 -m venv .venv
  .venv/bin/pip --quiet --disable-pip-version-check install -r requirements.txt
  touch .venv/ready
fi
exec .venv/bin/python -m unittest --verbose
