#!/bin/sh
# Writes this installation's addresses over those that Studio was built with, and starts Studio.
#
#   PLURABASE_PUBLIC_URL       where browsers reach the gateway, without a path
#   PLURABASE_AUTH_PATH        where the platform's GoTrue is on it
#   PLURABASE_PROJECT_DOMAIN   what follows `<ref>.` in a project's own host
set -eu

folder=${STUDIO_FOLDER:-/app/apps/studio}
public=${PLURABASE_PUBLIC_URL:?where browsers reach the gateway}
path=${PLURABASE_AUTH_PATH:-/auth/v1}
domain=${PLURABASE_PROJECT_DOMAIN:?what follows a ref in the host of a project}

refuse() {
  echo "$1 is not of the form $2" >&2
  exit 1
}

# matches TEXT PATTERN: what goes into the files may hold nothing that ends a text in them.
matches() { [ "$(printf '%s\n' "$1" | wc -l)" -eq 1 ] && printf '%s' "$1" | grep -Eqx "$2"; }

matches "$public" 'https?://[A-Za-z0-9.-]+(:[0-9]+)?' || refuse PLURABASE_PUBLIC_URL "https://host or http://host:port"
matches "$path" '(/[A-Za-z0-9._-]+)*' || refuse PLURABASE_AUTH_PATH "/auth/v1"
matches "$domain" '[A-Za-z0-9.-]+(:[0-9]+)?' || refuse PLURABASE_PROJECT_DOMAIN "host or host:port"

scheme=${public%%://*}
sockets=ws
[ "$scheme" = http ] || sockets=wss

# A container that is started again has the addresses already, and then this finds nothing.
grep -rlE --null 'plurabase-(public|auth|projects)\.invalid' "$folder/.next" "$folder/server.js" 2>/dev/null |
  xargs -0 -r sed -i \
    -e "s|https://plurabase-auth\.invalid/auth/v1|$public$path|g" \
    -e "s|https://plurabase-auth\.invalid|$public|g" \
    -e "s|https://plurabase-public\.invalid|$public|g" \
    -e "s|https://\*\.plurabase-projects\.invalid|$scheme://*.$domain|g" \
    -e "s|wss://\*\.plurabase-projects\.invalid|$sockets://*.$domain|g"

exec "$@"
