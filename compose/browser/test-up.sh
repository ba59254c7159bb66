#!/bin/sh
# Runs the whole platform by compose, with real images, and goes through the story in Studio with a browser (story.mjs). Where
# something that it needs cannot be had here, it says what, and ends well: it is no test that failed, and none that was run.
#
#   KONG_IMAGE   the Kong to build on
set -eu
cd "$(dirname "$0")/../.."

project=plurabase-test-up
port=${PORT:-18000}
folder=$(mktemp -d)
env_file=$folder/.env
started=

unavailable() {
  echo "test-up: not run: $1"
  exit 0
}

compose() {
  docker compose --project-name "$project" --env-file "$env_file" -f compose/platform.yml -f compose/gateway.yml -f compose/docker-socket.yml "$@"
}

finish() {
  status=$?
  if [ -n "$started" ]; then
    [ "$status" -eq 0 ] || compose logs --tail 200
    compose down --volumes --timeout 10
    # What a story that failed left of its project, on the target of this run alone.
    docker ps --all --quiet --filter "label=io.plurabase.target=$project" | xargs -r docker rm --force
    docker network ls --quiet --filter "label=io.plurabase.target=$project" | xargs -r docker network rm
    docker volume ls --quiet --filter "label=io.plurabase.target=$project" | xargs -r docker volume rm
  fi
  rm -rf "$folder"
  exit "$status"
}
trap finish EXIT

docker info >/dev/null 2>&1 || unavailable "Docker does not answer"
docker compose version >/dev/null 2>&1 || unavailable "Docker has no compose plugin"
for name in plurabase-kong plurabase-meta; do
  [ -z "$(docker ps --all --quiet --filter "name=^/$name$")" ] || unavailable "a container $name is there already: a platform runs on this Docker"
done

go run ./compose/setup env -file "$env_file" -url "http://localhost:$port"
echo "PLURABASE_TARGET=$project" >>"$env_file"
kong=${KONG_IMAGE:-kong/kong:3.9.3}
for image in "$kong" $(compose config --images | grep -v '^plurabase/'); do
  docker image inspect "$image" >/dev/null 2>&1 || docker pull --quiet "$image" >/dev/null 2>&1 ||
    unavailable "the image $image cannot be pulled"
done
if ! docker image inspect plurabase/studio >/dev/null 2>&1; then
  docker pull --quiet node:22-slim >/dev/null 2>&1 || unavailable "Studio cannot be built: the image node:22-slim cannot be pulled"
  compose/studio/build.sh
fi
(cd compose/browser && npm ci --silent --no-audit --no-fund) || unavailable "playwright cannot be had from npm"
(cd compose/browser && npx playwright install --with-deps chromium >/dev/null 2>&1) || unavailable "playwright's browser cannot be downloaded"
make images KONG_IMAGE="$kong"

started=yes
compose up --detach --wait
node compose/browser/story.mjs "http://localhost:$port"
