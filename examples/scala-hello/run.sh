#!/bin/sh
# Compiles run.scala and starts its main method. Works with Scala 2.11 to 2.13 and with Scala 3.
set -eu

# Java sizes its heap by the machine, not by what this run may use. Leave a quarter for Java itself.
heap_mb=$((${CODEROOM_MEMORY_BYTES:-1073741824} / 1048576 * 3 / 4))
quick="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

library=/usr/share/java/scala-library.jar
if [ ! -e "$library" ] || ! command -v scalac >/dev/null; then
    # A current Scala compiles and runs in one step.
    export JAVA_OPTS="-Xmx${heap_mb}m"
    exec scala run.scala ${1+-- "$@"}
fi

# Debian's Scala 2.11 cannot do that on a current Java: compile first, then run.
classes=$(mktemp -d)
JAVA_OPTS="-Xmx${heap_mb}m $quick" scalac -d "$classes" run.scala
# The object with the main method: the first one of the file, unless MAIN names another.
main=${MAIN:-$(sed -n 's/^ *object  *\([A-Za-z0-9_]*\).*/\1/p' run.scala | head -n 1)}
exec java "-Xmx${heap_mb}m" -XX:+UseSerialGC -cp "$classes:$library" "$main" "$@"
