-- Upstream keeps the tables of the pooler and of analytics out of the user's database (docker/volumes/db/_supabase.sql,
-- logs.sql, pooler.sql). A database cannot be made in a transaction.
select 'create database _supabase' where not exists (select from pg_database where datname = '_supabase') \gexec
\connect _supabase
create schema if not exists _analytics;
create schema if not exists _supavisor;
\connect postgres

