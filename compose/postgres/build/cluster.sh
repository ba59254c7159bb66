#!/bin/sh
# Makes the cluster that the image's containers start with. It is run inside the image's root, as postgres, when the image is
# made: that takes a second, which every new project would pay.
set -eu
here=/usr/local/share/plurabase-postgres
cluster=$here/cluster
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH

initdb --pgdata="$cluster" --username=supabase_admin --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
# Nobody outside can reach it: without TCP, its socket in the closed folder.
postgres -D "$cluster" -c listen_addresses= -c unix_socket_directories="$cluster" -c fsync=off \
	-c shared_preload_libraries=pg_stat_statements -c log_min_messages=warning &
server=$!
until pg_isready --quiet --host="$cluster" --username=supabase_admin --dbname=postgres; do
	kill -0 "$server" 2>/dev/null || exit 1
	sleep 0.1
done
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction --host="$cluster" \
	--username=supabase_admin --dbname=postgres --file="$here/roles.sql" --file="$here/schemas.sql"
kill -INT "$server"
wait "$server"
