-- The roles that Supabase's services and tools expect, with the rights that upstream gives them (supabase/postgres,
-- migrations/db). Run by supabase_admin, the superuser that initdb made. Passwords come later, with the container's first start.

alter role supabase_admin with createdb createrole replication bypassrls;

-- What users and Studio connect as. No superuser, as upstream: it can't read the server's files or run programs.
create role postgres with login createdb createrole replication bypassrls;
alter database postgres owner to postgres;

-- What a request to the API runs as. PostgREST signs in as authenticator and then takes the token's role.
create role anon nologin;
create role authenticated nologin;
create role service_role nologin bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

-- The services' own. They get their passwords later, from whoever starts them.
create role supabase_auth_admin login noinherit createrole;
alter role supabase_auth_admin set search_path = auth;
alter role supabase_auth_admin set idle_in_transaction_session_timeout = '60s';
create role supabase_storage_admin login noinherit createrole;
alter role supabase_storage_admin set search_path = storage;
grant authenticator to supabase_storage_admin;
create role supabase_replication_admin login replication;
create role pgbouncer login;

-- Reads everything, row-level security or not, and writes nothing.
create role supabase_read_only_user login bypassrls;
grant pg_read_all_data to supabase_read_only_user;
alter role supabase_read_only_user set default_transaction_read_only = on;

create role dashboard_user nologin createdb createrole replication;

grant anon, authenticated, service_role, supabase_auth_admin, supabase_storage_admin to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

alter role supabase_admin set search_path = "$user", public, auth, extensions;
alter role postgres set search_path = "$user", public, extensions;
