-- One migration. It comes as hexadecimal digits and is run by Postgres: psql, whose backslash commands would run in the
-- container, reads nothing of it.
begin;
lock table supabase_migrations.schema_migrations in share row exclusive mode;
do $plurabase$
declare
  one jsonb := pg_catalog.convert_from(pg_catalog.decode('{{migration}}', 'hex'), 'utf8')::jsonb;
  sql text;
begin
  if exists (select from supabase_migrations.schema_migrations m where m.version = one ->> 'Version') then
    return;
  end if;
  if not coalesce((one ->> 'Noted')::boolean, false) then
    for sql in select pg_catalog.jsonb_array_elements_text(nullif(one -> 'Statements', 'null')) loop
      execute sql;
    end loop;
  end if;
  reset role; -- the history is not for whom a migration may have become
  insert into supabase_migrations.schema_migrations (version, name, statements, rollback, created_by)
  values (one ->> 'Version', one ->> 'Name',
    array(select pg_catalog.jsonb_array_elements_text(nullif(one -> 'Statements', 'null'))),
    array(select pg_catalog.jsonb_array_elements_text(nullif(one -> 'Rollback', 'null'))), one ->> 'CreatedBy');
exception when others then
  raise exception 'The migration % (%) failed: %', one ->> 'Version', coalesce(one ->> 'Name', 'without a name'), sqlerrm;
end $plurabase$;
commit;
reset role;
reset all;
set client_min_messages = warning;
set statement_timeout = 0;
