#!/bin/sh
# Starts Kong with the platform's plugins: refuses a Kong that would let requests through when a plugin has died, makes its
# configuration, and hands over to the image's own entrypoint.
#
#   PLURABASE_KONG_BASE       the file that kong.platform.yml is merged into: our own of a stand-alone platform by default, or
#                             upstream's kong.yml, mounted
#   PLURABASE_PROJECT_DOMAIN  what follows `<ref>.` in a project's host, perhaps with a port; kong.platform.yml knows it without
#                             one, as PLURABASE_PROJECT_HOST
#   PLURABASE_KONG_PLATFORM   kong.platform.yml, and what else is merged, separated by spaces
set -eu

base=${PLURABASE_KONG_BASE:-/etc/plurabase/kong.standalone.yml}
platform=${PLURABASE_KONG_PLATFORM:-/etc/plurabase/kong.platform.yml}
: "${KONG_DECLARATIVE_CONFIG:=/usr/local/kong/kong.yml}"
: "${PLURABASE_PROJECT_DOMAIN:=localhost}"
export KONG_DECLARATIVE_CONFIG PLURABASE_PROJECT_DOMAIN
# A host in Kong's routes has no port.
export PLURABASE_PROJECT_HOST="${PLURABASE_PROJECT_DOMAIN%%:*}"

version=$(kong version | awk '{ print $NF; exit }')
case $version in
  3.[89] | 3.[89].* | 3.[1-9][0-9] | 3.[1-9][0-9].*) ;;
  *)
    echo "Kong is $version, and has to be 3.8 or a newer 3.x: older ones let requests through when a plugin has died." >&2
    exit 1
    ;;
esac

set -- -base "$base"
for file in $platform; do
  set -- "$@" -platform "$file"
done
kong-render "$@" -diff
kong-render "$@" -out "$KONG_DECLARATIVE_CONFIG"
exec "${PLURABASE_KONG_ENTRYPOINT:-/entrypoint.sh}" kong docker-start
