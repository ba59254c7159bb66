-- What was measured of each running project, by the hour: the last time in it. See store/measures.go.
create table platform.project_measures (
  project_id         bigint      not null references platform.projects on delete cascade,
  hour               timestamptz not null,
  measured_at        timestamptz not null,
  database_bytes     bigint,  -- of all its databases; null: it did not answer
  wal_bytes          bigint,
  storage_bytes      bigint,  -- of all objects that Storage knows of; null: it has no Storage, or that was not to be had
  disk_bytes         bigint,  -- of the disk that its data lies on, which projects share
  disk_used_bytes    bigint,
  disk_free_bytes    bigint,
  memory_bytes       bigint,  -- of its database's container, without what the kernel can give back at once
  memory_limit_bytes bigint,
  cpu_percent        real,    -- of what its compute size has, on average since it was measured before
  connections        integer,
  max_connections    integer,
  primary key (project_id, hour)
);

-- For what upgrades take: the last that went well.
create index operations_upgraded on platform.operations (id) where kind = 'upgrade' and state = 'succeeded';

-- What the API asks a target's provisioner of a container's log. A row lives for seconds, and may be lost with a crash: whoever
-- asked asks again. See store/logs.go.
create unlogged table platform.log_requests (
  id         bigint generated always as identity primary key,
  project_id bigint      not null,
  target     text        not null,
  service    text        not null,
  since      timestamptz not null,
  until      timestamptz not null,
  created_at timestamptz not null default clock_timestamp(),
  taken_at   timestamptz,
  answer     bytea,      -- lines as JSON
  failure    text        -- in plain words
);
create index log_requests_target on platform.log_requests (target, id) where taken_at is null;
