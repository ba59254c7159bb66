-- What a dump has: neither Postgres' own, nor what belongs to an extension, which the dump makes by its name.
with schemas as (
  select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'
), members as (
  select classid, objid from pg_depend where deptype = 'e'
), objects(kind, class, oid, schema) as (
  select case relkind when 'r' then 'tables' when 'p' then 'tables' when 'v' then 'views' when 'm' then 'materialized views'
    when 'i' then 'indexes' when 'I' then 'indexes' when 'S' then 'sequences' when 'f' then 'foreign tables' else 'types' end,
    'pg_class'::regclass, oid, relnamespace from pg_class where relpersistence <> 't'
  union all select 'functions', 'pg_proc'::regclass, oid, pronamespace from pg_proc
  union all select 'constraints', 'pg_constraint'::regclass, c.oid, c.connamespace from pg_constraint c where contype in ('c', 'f', 'p', 'u', 'x')
  union all select 'triggers', 'pg_trigger'::regclass, t.oid, c.relnamespace from pg_trigger t join pg_class c on c.oid = tgrelid where not tgisinternal
  union all select 'policies', 'pg_policy'::regclass, p.oid, c.relnamespace from pg_policy p join pg_class c on c.oid = polrelid
)
select 'count ' || kind || ' ' || count(*)
from objects o join schemas s on s.oid = o.schema
where not exists (select from members m where m.classid = o.class and m.objid = o.oid)
group by kind
union all select 'schema ' || quote_ident(nspname) from schemas
union all select 'extension ' || quote_ident(extname) from pg_extension
union all select 'publication ' || quote_ident(pubname) from pg_publication
union all select 'event trigger ' || quote_ident(evtname) from pg_event_trigger
union all select 'large objects ' || count(*) from pg_largeobject_metadata
order by 1;
select format('select %L || count(*) from only %I.%I', 'rows ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ', n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
order by n.nspname, c.relname
\gexec
