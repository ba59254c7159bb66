begin;
create schema if not exists extensions;
create extension if not exists pg_net with schema extensions;
create schema if not exists supabase_functions authorization supabase_admin;
grant usage on schema supabase_functions to postgres, anon, authenticated, service_role;

create table if not exists supabase_functions.hooks (
  id            bigint generated always as identity primary key,
  hook_table_id integer     not null,
  hook_name     text        not null,
  created_at    timestamptz not null default now(),
  request_id    bigint
);
create index if not exists hooks_request on supabase_functions.hooks (request_id);
create index if not exists hooks_table on supabase_functions.hooks (hook_table_id, hook_name);

-- The trigger function: url, method, headers, parameters and timeout in milliseconds are the trigger's arguments, as Studio
-- writes them. The answer is pg_net's to keep.
create or replace function supabase_functions.http_request() returns trigger
language plpgsql security definer set search_path = '' as $function$
declare
  url        text    := nullif(tg_argv[0], 'null');
  method     text    := upper(coalesce(nullif(tg_argv[1], 'null'), ''));
  headers    jsonb   := coalesce(nullif(tg_argv[2], 'null'), '{"Content-Type": "application/json"}')::jsonb;
  parameters jsonb   := coalesce(nullif(tg_argv[3], 'null'), '{}')::jsonb;
  patience   integer := coalesce(nullif(tg_argv[4], 'null'), '1000')::integer;
  request    bigint;
begin
  if url is null then
    raise exception 'the webhook names no URL';
  end if;
  case method
    when 'GET' then
      request := net.http_get(url := url, params := parameters, headers := headers, timeout_milliseconds := patience);
    when 'POST' then
      request := net.http_post(url := url, params := parameters, headers := headers, timeout_milliseconds := patience,
        body := jsonb_build_object('type', tg_op, 'table', tg_table_name, 'schema', tg_table_schema,
          'record', case when tg_op = 'DELETE' then null else to_jsonb(new) end,
          'old_record', case when tg_op = 'INSERT' then null else to_jsonb(old) end));
    else
      raise exception 'the webhook''s method % is neither GET nor POST', method;
  end case;
  insert into supabase_functions.hooks (hook_table_id, hook_name, request_id) values (tg_relid::bigint::integer, tg_name, request);
  return coalesce(new, old);
end
$function$;
revoke all on function supabase_functions.http_request() from public;
grant execute on function supabase_functions.http_request() to postgres, anon, authenticated, service_role;
commit;
