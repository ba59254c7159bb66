#!/bin/sh
# mmdebstrap runs this after it has installed Postgres; $1 is the image's root. What goes in lies beside this script.
set -eu
image=$(dirname "$0")/../image
target=$1/usr/local/share/plurabase-postgres
install -d -m 0755 "$target"
install -m 0644 "$image"/*.conf "$image"/*.sql "$target"
install -m 0755 "$image/entrypoint.sh" "$target"
install -d -o 999 -g 999 -m 0700 "$target/cluster"
# A new volume takes its owner from here.
install -d -o 999 -g 999 -m 0700 "$1/var/lib/postgresql/data"
# /var/run is a link to /run, which outside of the image is this machine's own.
install -d -o 999 -g 999 -m 0775 "$1/run/postgresql"
# A key pair that the packages make for this machine's name: it must not be the same in every container.
rm -f "$1"/etc/ssl/private/ssl-cert-snakeoil.key "$1"/etc/ssl/certs/ssl-cert-snakeoil.pem
# The cluster that every container starts with. They share its number (pg_control's system identifier), which matters only
# between a server and its standby.
chroot "$1" setpriv --reuid=999 --regid=999 --clear-groups sh -s <"$(dirname "$0")/cluster.sh"
