#!/bin/sh
# Compiles run.scala and starts its main method. Works with Scala 2.11 to 2.13 and with Scala 3.
set -eu

# Java sizes its heap by the machine, not by what this run may use. Leave a quarter for Java itself.
heap_mb=$((${CODEROOM_MEMORY_BYTES:-1073741824} / 1048576 * 3 / 4))
java="-XX:+UseSerialGC"
if [ "$(ulimit -v)" != unlimited ]; then
    # Here even memory that is only set aside counts, and Java sets a lot of it aside.
    heap_mb=$(($(ulimit -v) / 1024 / 8))
    java="$java -XX:-UseCompressedClassPointers -XX:ReservedCodeCacheSize=48m"
fi
java="-Xmx${heap_mb}m $java"

library=/usr/share/java/scala-library.jar
if [ ! -e "$library" ] || ! command -v scalac >/dev/null; then
    # A current Scala compiles and runs in one step.
    export JAVA_OPTS="$java"
    exec scala run.scala ${1+-- "$@"}
fi

# Debian's Scala 2.11 cannot do that on a current Java: compile first, then run.
classes=$(mktemp -d)
JAVA_OPTS="$java -XX:TieredStopAtLevel=1" scalac -d "$classes" run.scala
# The object with the main method: the first one of the file, unless MAIN names another.
main=${MAIN:-$(sed -n 's/^ *object  *\([A-Za-z0-9_]*\).*/\1/p' run.scala | head -n 1)}
# shellcheck disable=SC2086 # several options in one word
exec java $java -cp "$classes:$library" "$main" "$@"
