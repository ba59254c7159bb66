#!/bin/sh
# Builds Studio's image, and says before what it will build and how long that took the last time.
#
#   compose/studio/build.sh [further arguments of docker build, as --build-arg STUDIO_REF=…]
set -eu
cd "$(dirname "$0")"

tag=${PLURABASE_STUDIO_IMAGE:-plurabase/studio}
ref=$(sed -n 's/^ARG STUDIO_REF=//p' Dockerfile)
took_file=${XDG_CACHE_HOME:-$HOME/.cache}/plurabase-studio-build

echo "Building $tag: Studio of github.com/supabase/supabase at $ref, unpatched, in platform mode."
echo "It fetches the source and some gigabytes of packages, and compiles with up to 6 GB of memory."
if [ -f "$took_file" ]; then
  echo "The last time it took $(cat "$took_file") minutes here."
else
  echo "How long it takes here is not known yet: count with tens of minutes the first time."
fi
[ "${DRY_RUN:-}" = "" ] || exit 0

began=$(date +%s)
DOCKER_BUILDKIT=1 docker build --tag "$tag" "$@" .
minutes=$((($(date +%s) - began + 59) / 60))
mkdir -p "$(dirname "$took_file")"
echo "$minutes" >"$took_file"
echo "Built $tag in $minutes minutes."
