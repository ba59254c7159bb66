begin;
-- Neither the server's log nor the statistics that users can read may keep a password.
set local log_statement = 'none';
set local log_min_duration_statement = -1;
set local log_min_error_statement = 'panic';
set local pgaudit.log = 'none';
set local pg_stat_statements.track = 'none';

-- Upstream's images have this role; a plain Postgres has not. A Read-only member's queries run as it.
do $$
begin
  if not exists (select from pg_roles where rolname = 'supabase_read_only_user') then
    create role supabase_read_only_user with login bypassrls;
  end if;
end
$$;
grant pg_read_all_data to supabase_read_only_user;
alter role supabase_read_only_user set default_transaction_read_only = on;

-- Realtime's own tables, out of the API's reach. Upstream makes it by an init script (docker/volumes/db/realtime.sql).
create schema if not exists _realtime;

-- Upstream gives all of its roles one password (docker/volumes/db/roles.sql). The passwords come as hexadecimal
-- digits, so that nothing in them can be taken for SQL.
do $$
declare
  role_name name;
begin
  for role_name in
    select rolname from pg_roles where rolname in (
      'postgres', 'supabase_admin', 'authenticator', 'pgbouncer', 'supabase_auth_admin', 'supabase_storage_admin',
      'supabase_replication_admin', 'supabase_functions_admin')
  loop
    execute format('alter role %I with password %L', role_name, convert_from(decode('{{password}}', 'hex'), 'UTF8'));
  end loop;
  execute format('alter role supabase_read_only_user with password %L',
    convert_from(decode('{{read_only_password}}', 'hex'), 'UTF8'));
end
$$;

-- The mark by which the provisioner sees that this was done, and with these passwords.
alter database postgres set plurabase.configured = '{{mark}}';
commit;
