#!/bin/sh
# Starts Postgres, and the first time lays the cluster out. It keeps to what supabase/postgres promises, as far as the
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

# initialize copies the image's cluster under another name, and gives it its own when it is complete and on disk. Killed
# on the way, it leaves what the next start throws away.
initialize() {
	[ -n "${POSTGRES_PASSWORD:-}" ] || fail "POSTGRES_PASSWORD is needed to make a new database"
	refuse_other_versions
	# As process 1, the shell would not hear of these by default.
	trap 'exit 130' INT TERM
	rm -rf "$unfinished"
	cp -a "$here/cluster" "$unfinished"
	set_passwords
	initdb --sync-only --pgdata="$unfinished" >/dev/null
	mv -T "$unfinished" "$cluster"
	sync "$PGDATA" # the new name too
	trap - INT TERM
}

# set_passwords runs a server for itself alone, which takes a statement a line.
set_passwords() {
	quoted=$(printf %s "$POSTGRES_PASSWORD" | sed "s/'/''/g")
	printf "alter role %s password '%s'\n" supabase_admin "$quoted" postgres "$quoted" |
		postgres --single -D "$unfinished" -c exit_on_error=on -c fsync=off -c log_min_error_statement=panic \
			-c log_min_messages=fatal postgres >/dev/null || fail "the passwords could not be set"
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
