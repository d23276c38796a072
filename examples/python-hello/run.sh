#!/bin/sh
# Starts the program. Change it to pass arguments or to run something first.
set -eu
exec python3 run.py "$@"
