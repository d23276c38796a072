#!/bin/sh
# Makes the secrets of the compose deployment once, into the volume /secrets, each file readable by the one user that needs it.
# What is there stays: databases keep the passwords they were made with.
set -eu
cd /secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
give() { chown "$1" "$2"; chmod 0400 "$2"; }

if [ ! -e complete ]; then
    postgres=$(random) redis=$(random) rabbitmq=$(random)
    # As long as AWS makes them: some stores take no longer ones.
    access=$(random | cut -c1-20) secret=$(random | cut -c1-40)

    printf '%s' "$postgres" >postgres-password
    printf 'postgres://coderoom:%s@postgres:5432/coderoom' "$postgres" >postgres-url

    # Hints only: nothing is kept over a restart, and the oldest may go when memory is short.
    printf 'requirepass %s\nsave ""\nappendonly no\nmaxmemory 512mb\nmaxmemory-policy allkeys-lru\n' "$redis" >redis.conf
    printf 'redis://:%s@redis:6379/0' "$redis" >redis-url

    printf 'default_user = coderoom\ndefault_pass = %s\ndefault_vhost = /\nlog.console = true\n' "$rabbitmq" >rabbitmq.conf
    printf 'amqp://coderoom:%s@rabbitmq:5672/%%2f' "$rabbitmq" >rabbitmq-url

    printf '%s' "$access" >s3-access-key
    printf '%s' "$secret" >s3-secret-key
    cp s3-access-key minio-user
    cp s3-secret-key minio-password

    give 0:0 postgres-password # read before the server gives up root
    give 999:999 redis.conf
    give 999:999 rabbitmq.conf
    give 0:0 minio-user
    give 0:0 minio-password
    for file in postgres-url redis-url rabbitmq-url s3-access-key s3-secret-key; do
        give 65532:65532 "$file"
    done
    touch complete
fi
