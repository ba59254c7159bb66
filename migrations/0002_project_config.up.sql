-- What a project's owner has set of its services, one row a section (`auth`, `postgrest`, `storage`, …): a JSON object of
-- the settings that differ from the defaults, sealed as a whole, for some of them are secrets. See store/config.go.
create table platform.project_config (
  project_id bigint      not null references platform.projects on delete cascade,
  section    text        not null,
  sealed     bytea       not null,
  updated_at timestamptz not null,
  primary key (project_id, section)
);

-- What each of a project's services is and where it is reached, as the provisioner last saw it.
create table platform.project_services (
  project_id bigint      not null references platform.projects on delete cascade,
  service    text        not null, -- `auth`
  host       text        not null, -- where the gateway reaches it; an address, so that no name has to be resolved
  port       integer     not null check (port between 1 and 65535),
  image      text        not null,
  healthy    boolean     not null,
  message    text,                 -- why it is not healthy, in plain words
  seen_at    timestamptz not null,
  primary key (project_id, service)
);

-- `configure` applies changed settings to a project that runs: only the services that they change are made anew.
alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check
  check (kind in ('create', 'pause', 'restore', 'restart', 'configure', 'delete'));
