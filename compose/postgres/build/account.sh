#!/bin/sh
# mmdebstrap runs this before it installs Postgres; $1 is the image's root.
set -eu
# The same number in every build: a volume belongs to a number. 999 is also what the official image has.
echo 'postgres:x:999:' >>"$1/etc/group"
echo 'postgres:x:999:999:PostgreSQL:/var/lib/postgresql:/bin/sh' >>"$1/etc/passwd"
# Debian's package would make and start a cluster of its own.
mkdir -p "$1/etc/postgresql-common"
echo 'create_main_cluster = false' >"$1/etc/postgresql-common/createcluster.conf"
