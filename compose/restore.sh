#!/bin/sh
# Puts the platform's own state back as backup.sh wrote it, in one step or not at all. What uses the database should be stopped
# meanwhile: `docker compose stop kong provisioner platform-auth`. The roles have to be there: `setup prepare` makes them.
#
#   compose/restore.sh FILE
#
#   PLURABASE_IN_DATABASE, PLURABASE_DUMP_URL   as of backup.sh; the first with the standard input: `docker exec -i …`
set -eu
file=${1:?usage: compose/restore.sh FILE}
[ -r "$file" ] || { echo "$file cannot be read." >&2 && exit 1; }

if [ -z "${PLURABASE_IN_DATABASE:-}" ]; then
  container=$(docker ps --quiet --filter label=com.docker.compose.service=platform-db)
  case $container in
    '' | *' '* | *'
'*) echo "There has to be one running container of the service platform-db; set PLURABASE_IN_DATABASE otherwise." >&2 && exit 1 ;;
  esac
  PLURABASE_IN_DATABASE="docker exec -i $container"
fi

# shellcheck disable=SC2086 # a command with its arguments
$PLURABASE_IN_DATABASE pg_restore --dbname="${PLURABASE_DUMP_URL:-postgresql:///plurabase?user=postgres}" \
  --clean --if-exists --single-transaction --exit-on-error <"$file"
echo "Restored $file. Start what was stopped; the provisioner brings the schema up to date where it is newer than the backup."
