#!/bin/sh
# Writes the platform's own state, its GoTrue's accounts with it, into a file for its owner alone. The projects' databases are not in
# it, and neither is PLURABASE_MASTER_KEY, without which the secrets in it cannot be opened: keep that elsewhere.
#
#   compose/backup.sh FILE
#
#   PLURABASE_IN_DATABASE   what runs a command beside the platform's Postgres: `docker exec` into compose's container by default
#   PLURABASE_DUMP_URL    that Postgres, seen from there
set -eu
file=${1:?usage: compose/backup.sh FILE}

if [ -z "${PLURABASE_IN_DATABASE:-}" ]; then
  container=$(docker ps --quiet --filter label=com.docker.compose.service=platform-db)
  case $container in
    '' | *' '* | *'
'*) echo "There has to be one running container of the service platform-db; set PLURABASE_IN_DATABASE otherwise." >&2 && exit 1 ;;
  esac
  PLURABASE_IN_DATABASE="docker exec $container"
fi

umask 077
trap 'rm -f "$file.part"' EXIT
# shellcheck disable=SC2086 # a command with its arguments
$PLURABASE_IN_DATABASE pg_dump --dbname="${PLURABASE_DUMP_URL:-postgresql:///plurabase?user=postgres}" \
  --format=custom --schema=platform --schema=auth --no-unlogged-table-data >"$file.part"
mv "$file.part" "$file"
echo "Wrote $(wc -c <"$file") bytes to $file."
