-- The projects' logs of requests, as their gateways' nodes tell them. They are of use for a day, and may be lost with a crash: so there is
-- a part for each hour, which is emptied as a whole before its turn comes again. See store/edge_log.go.
create table platform.edge_log (
  part       smallint    not null, -- hours since 1970, modulo the number of parts
  project_id bigint      not null,
  at         timestamptz not null, -- when it was over
  request_id text        not null, -- the gateway's
  client     inet,                 -- null: not known
  host       text        not null,
  method     text        not null,
  path       text        not null, -- within the project
  search     text        not null, -- with its question mark; what opens something is masked
  user_agent text        not null,
  received   bigint      not null, -- bytes
  status     smallint    not null,
  sent       bigint      not null, -- bytes
  took       interval    not null,
  origin     interval    not null  -- what the project's own service took of that; 0: it was not asked
) partition by list (part);
create index edge_log_project on platform.edge_log (project_id, at desc);

do $$
begin
  for part in 0..25 loop
    execute format('create unlogged table platform.edge_log_%s partition of platform.edge_log for values in (%s)', part, part);
  end loop;
end
$$;
