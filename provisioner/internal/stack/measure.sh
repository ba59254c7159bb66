#!/bin/sh
psql --no-psqlrc --quiet --no-align --tuples-only --set=VERBOSITY=terse \
  --host=127.0.0.1 --username=supabase_read_only_user --dbname=postgres --file=- 2>/dev/null
echo "-- disk"
df -Pk /var/lib/postgresql/data 2>/dev/null
echo "-- wal"
du -sk /var/lib/postgresql/data/pg_wal /var/lib/postgresql/data/*/pg_wal 2>/dev/null
echo "-- memory"
cat /sys/fs/cgroup/memory.current /sys/fs/cgroup/memory/memory.usage_in_bytes 2>/dev/null
echo "-- reclaimable"
grep -h -E '^(total_)?inactive_file ' /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat 2>/dev/null
echo "-- cpu"
grep '^usage_usec ' /sys/fs/cgroup/cpu.stat 2>/dev/null
echo "-- cpu in nanoseconds"
cat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null
true
