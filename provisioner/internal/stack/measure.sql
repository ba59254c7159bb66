set search_path = pg_catalog, pg_temp;
set statement_timeout = '10s';
set jit = off; -- it takes longer to compile than these take to run
select '-- database';
select sum(pg_database_size(oid)) from pg_database where datallowconn and has_database_privilege(oid, 'connect');
select '-- connections';
select sum(numbackends) from pg_stat_database;
select '-- most connections';
select current_setting('max_connections');
select '-- storage';
select to_regclass('storage.objects') is not null as has_storage \gset
\if :has_storage
select coalesce(sum((metadata ->> 'size')::bigint), 0) from storage.objects;
\endif
