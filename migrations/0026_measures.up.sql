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
