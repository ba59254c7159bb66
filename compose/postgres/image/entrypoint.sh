#!/bin/sh
# Starts Postgres, and the first time makes the cluster. It keeps to what supabase/postgres promises, as far as the
# provisioner uses it: POSTGRES_PASSWORD (needed the first time alone), PGDATA, port 5432.
set -eu

here=/usr/local/share/plurabase-postgres
# The version is in the name, so that another major version finds no cluster of its own, and says why it stops.
cluster=$PGDATA/$PG_MAJOR
unfinished=$cluster.unfinished

main() {
	if [ "${1:-postgres}" != postgres ]; then
		exec "$@"
	fi
	if [ "$(id -u)" = 0 ]; then
		fail "Postgres refuses to run as root: leave the image's user as it is"
	fi
	umask 077
	if [ ! -d "$cluster" ]; then
		initialize
	fi
	unset POSTGRES_PASSWORD # the server and all it starts can do without
	[ $# -eq 0 ] || shift
	# Where the files are is ours to say: upstream's image is started with -D /etc/postgresql.
	exec postgres "$@" -D "$cluster" -c config_file="$here/postgresql.conf" -c hba_file="$here/pg_hba.conf"
}

# initialize makes the cluster under another name, and gives it its own when it is complete and on disk. Killed on the
# way, it leaves what the next start throws away.
initialize() {
	[ -n "${POSTGRES_PASSWORD:-}" ] || fail "POSTGRES_PASSWORD is needed to make a new database"
	refuse_other_versions
	# As process 1, the shell would not hear of these by default.
	trap 'exit 130' INT TERM
	rm -rf "$unfinished"
	initdb --pgdata="$unfinished" --username=supabase_admin --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync \
		>/dev/null
	set_up
	initdb --sync-only --pgdata="$unfinished" >/dev/null
	mv -T "$unfinished" "$cluster"
	sync "$PGDATA" # the new name too
	trap - INT TERM
}

# set_up runs our SQL in a server that nobody outside can reach: without TCP, its socket in the closed folder.
set_up() {
	postgres -D "$unfinished" -c listen_addresses= -c unix_socket_directories="$unfinished" -c fsync=off \
		-c shared_preload_libraries=pg_stat_statements -c log_min_error_statement=panic -c log_min_messages=warning &
	server=$!
	until pg_isready --quiet --host="$unfinished" --username=supabase_admin --dbname=postgres; do
		kill -0 "$server" 2>/dev/null || fail "Postgres ended while it was being set up"
		sleep 0.1
	done
	psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction --host="$unfinished" \
		--username=supabase_admin --dbname=postgres --file="$here/roles.sql" --file="$here/schemas.sql"
	kill -INT "$server"
	wait "$server"
}

# refuse_other_versions keeps us from making a second, empty cluster beside one that holds somebody's data.
refuse_other_versions() {
	for file in "$PGDATA"/PG_VERSION "$PGDATA"/*/PG_VERSION; do
		case $file in
		"$unfinished"/*) continue ;;
		esac
		if [ -e "$file" ]; then
			fail "$PGDATA holds a cluster that this image, with Postgres $PG_MAJOR, can't run: $file"
		fi
	done
}

fail() {
	echo "entrypoint: $1" >&2
	exit 1
}

main "$@"
