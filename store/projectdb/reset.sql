-- What is the user's own goes, all of it or nothing.
begin;
set local search_path = pg_catalog, pg_temp;
lock table supabase_migrations.schema_migrations in share row exclusive mode;
do $reset$
declare
  one record;
  kept text[] := string_to_array('{{kept}}', ' ');
begin
  for one in
    select nspname from pg_namespace n
    where nspname !~ '^pg_' and nspname <> all (kept) and pg_has_role(nspowner, 'member')
      and not exists (select from pg_depend d where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
  loop
    execute format('drop schema %I cascade', one.nspname);
  end loop;
  -- The schema itself stays: what new objects in it may be used by hangs on it.
  for one in
    select format('drop %s if exists public.%I cascade', case c.relkind
        when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' when 'f' then 'foreign table' when 'c' then 'type'
        else 'table' end, c.relname) as command
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f', 'c') and pg_has_role(c.relowner, 'member')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'i'))
    union all
    select format('drop %s if exists %s cascade', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
      format('public.%I(%s)', p.proname, pg_get_function_identity_arguments(p.oid)))
    from pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_has_role(p.proowner, 'member')
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    union all
    select format('drop %s if exists public.%I cascade', case t.typtype when 'd' then 'domain' else 'type' end, t.typname)
    from pg_type t
    where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd', 'r') and pg_has_role(t.typowner, 'member')
      and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
  loop
    execute one.command;
  end loop;
  if has_table_privilege(to_regclass('auth.users'), 'truncate') then
    truncate auth.users cascade;
  end if;
  delete from supabase_migrations.schema_migrations;
end $reset$;
commit;
