-- A project's edge functions. Each deployment is a version of its own; one of them is what runs. See store/functions.go.
create table platform.functions (
  id         uuid        primary key default gen_random_uuid(),
  project_id bigint      not null references platform.projects on delete cascade,
  slug       text        not null check (slug ~ '^[A-Za-z][A-Za-z0-9_-]{0,127}$'), -- the name of its folder, and its URL
  version    integer     not null default 0 check (version >= 0), -- what runs; 0: uploaded, and never deployed
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (project_id, slug)
);

create table platform.function_versions (
  function_id     uuid        not null references platform.functions on delete cascade,
  version         integer     not null check (version > 0),
  name            text        not null,
  verify_jwt      boolean     not null,
  entrypoint_path text        not null, -- within the archive
  import_map_path text,                 -- within the archive
  digest          bytea       not null, -- SHA-256 of the archive
  archive         bytea       not null, -- a tar, gzipped: the source as it was sent. Code, no secrets
  created_at      timestamptz not null,
  primary key (function_id, version)
);

-- Gzipped already; Postgres need not try.
alter table platform.function_versions alter column archive set storage external;

-- What changed last of a project's functions, and what its functions service was last given: a provisioner brings the one
-- to the other whenever they differ.
alter table platform.projects
  add functions_generation bigint not null default 0,
  add functions_synced     bigint not null default 0;
