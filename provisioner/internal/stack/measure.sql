set search_path = pg_catalog, pg_temp;
set statement_timeout = '10s';
set jit = off; -- it takes longer to compile than these take to run
select '-- database';
select sum(pg_database_size(oid)) from pg_database where datallowconn and has_database_privilege(oid, 'connect');
select '-- connections';
select sum(numbackends) from pg_stat_database;
select '-- most connections';
select current_setting('max_connections');
select '-- read-only';
-- For everybody else: the role that asks may have a setting of its own.
select coalesce((
  select split_part(setting, '=', 2)::bool
  from pg_db_role_setting, unnest(setconfig) as setting
  where setrole = 0 and setting like 'default\_transaction\_read\_only=%'
    and setdatabase in (0, (select oid from pg_database where datname = current_database()))
  order by setdatabase desc limit 1), false);
select '-- storage';
select to_regclass('storage.objects') is not null as has_storage \gset
\if :has_storage
select coalesce(sum((metadata ->> 'size')::bigint), 0) from storage.objects;
\endif
