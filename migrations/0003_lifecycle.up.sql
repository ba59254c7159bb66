-- What each of a project's services runs, so that a provisioner with newer images changes nothing by itself. An upgrade
-- keeps the image before, until the new one has become healthy.
create table platform.project_images (
  project_id bigint not null references platform.projects on delete cascade,
  service    text   not null, -- `auth`
  image      text   not null,
  previous   text,            -- what an upgrade under way goes back to when it fails
  primary key (project_id, service)
);

alter table platform.operations
  add column services text[],  -- of a restart: these alone; null: all
  add column planned  integer, -- how many steps it takes, as far as is known
  add column undone   text;    -- of an upgrade: why the versions before were put back
alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check
  check (kind in ('create', 'pause', 'restore', 'restart', 'configure', 'resize', 'upgrade', 'delete'));

-- What a target has and offers, by its provisioner's last heartbeat.
alter table platform.targets
  add column engine_version text,
  add column cpus           integer,
  add column memory_bytes   bigint,
  add column images         jsonb not null default '{}'; -- by service: what new projects get, and upgrades lead to
