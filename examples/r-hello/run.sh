#!/bin/sh
# Starts the program. Change it to pass arguments or to run something first.
set -eu
exec Rscript --vanilla run.R "$@"
