-- Backups of projects. Rows outlive their project, for a final backup is what is left of one. What is kept of each lies in
-- its target's backup directory, in a folder of its own. See store/backups.go.
create table platform.backups (
  id              bigint generated always as identity primary key,
  project_id      bigint      not null,
  project_ref     text        not null,
  organization_id bigint      not null,
  target          text        not null,
  kind            text        not null check (kind in ('scheduled', 'manual', 'safety', 'final')),
  status          text        not null default 'pending'
                              check (status in ('pending', 'running', 'completed', 'verified', 'failed', 'expired')),
  operation_id    bigint      references platform.operations on delete set null, -- by which it is made
  location        text, -- its folder, below the target's backup directory
  bytes           bigint, -- of all its files, as they are kept
  checksum        bytea check (length(checksum) = 32), -- SHA-256 of its manifest, which has that of each file
  db_version      text, -- `17.6`
  error           text, -- in plain words
  created_at      timestamptz not null,
  started_at      timestamptz,
  finished_at     timestamptz,
  verified_at     timestamptz -- when it was last restored into a scratch database, and found to be whole
);
create index backups_project on platform.backups (project_id, id);
create index backups_target on platform.backups (target, status);
create index backups_operation on platform.backups (operation_id);

-- A project whose data shall be that of a backup, and is not yet.
create table platform.project_restores (
  project_id bigint primary key references platform.projects on delete cascade,
  number     bigint      not null unique generated always as identity, -- names the database that is set aside meanwhile
  backup_id  bigint      not null references platform.backups,
  safety_id  bigint      references platform.backups, -- made first; null: a new project, which has nothing to lose
  state      text        not null default 'wanted' check (state in ('wanted', 'restored')), -- restored: the old data may go
  created_at timestamptz not null
);

-- Which projects were made of another one's backup. Rows outlive both.
create table platform.project_clones (
  project_id bigint primary key,
  source_id  bigint      not null,
  backup_id  bigint      not null,
  name       text        not null,
  ref        text        not null,
  created_at timestamptz not null
);
create index project_clones_source on platform.project_clones (source_id, project_id);

-- Where each target keeps its backups, by its provisioner's last word; without a row it makes none.
create table platform.backup_targets (
  target     text primary key,
  host       text        not null,
  directory  text        not null,
  public_url text, -- where the gateway passes downloads on to the provisioner; null: nowhere
  schedule   text, -- null: only on demand
  seen_at    timestamptz not null
);

alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check check (kind in (
  'create', 'pause', 'restore', 'restart', 'configure', 'resize', 'upgrade', 'delete', 'backup', 'restore_backup'));
