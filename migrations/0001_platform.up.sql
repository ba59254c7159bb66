-- The platform's own tables. Everything lives in the schema `platform`, so that a database shared with a Supabase
-- installation keeps its own `public` untouched and PostgREST never sees these tables.

create table platform.profiles (
  id            bigint generated always as identity primary key,
  gotrue_id     uuid        not null unique, -- `sub` of the GoTrue session token
  primary_email text        not null,
  username      text        not null unique,
  first_name    text,
  last_name     text,
  mobile        text,
  created_at    timestamptz not null,
  updated_at    timestamptz not null
);

-- Personal access tokens. The token itself is never stored: only its SHA-256 digest.
create table platform.access_tokens (
  id           bigint generated always as identity primary key,
  profile_id   bigint      not null references platform.profiles on delete cascade,
  name         text        not null,
  digest       bytea       not null unique check (length(digest) = 32),
  alias        text        not null, -- `sbp_1234…abcd`, to tell tokens apart in a list
  created_at   timestamptz not null,
  expires_at   timestamptz,
  last_used_at timestamptz,
  -- What a scoped token may do. Without scopes a token may do what its owner may.
  scopes           text[],
  organization_ids bigint[] not null default '{}', -- with project_ids: all that it reaches; both empty: whatever its owner does
  project_ids      bigint[] not null default '{}'
);
create index access_tokens_profile on platform.access_tokens (profile_id);

create table platform.organizations (
  id                        bigint generated always as identity primary key,
  slug                      text        not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name                      text        not null,
  billing_email             text,
  additional_billing_emails text[]      not null default '{}',
  opt_in_tags               text[]      not null default '{}', -- what the members let Studio's assistant see
  mfa_required              boolean     not null default false,
  created_at                timestamptz not null,
  updated_at                timestamptz not null
);

-- Members and invitations have numbers from one sequence, for the ids of their roles: see store/roles.go.
create sequence platform.member_numbers;

-- Who has which base role: 1 Owner, 2 Administrator, 3 Developer, 4 Read-only. Base ids are the same in every
-- organization; there are no per-organization role rows to confuse them with.
create table platform.members (
  organization_id bigint      not null references platform.organizations on delete cascade,
  profile_id      bigint      not null references platform.profiles on delete cascade,
  number          bigint      not null unique default nextval('platform.member_numbers'),
  role            smallint    check (role between 1 and 4), -- in the whole organization; null for members of some projects alone
  joined_at       timestamptz not null,
  primary key (organization_id, profile_id)
);
create index members_profile on platform.members (profile_id);

create table platform.projects (
  id              bigint generated always as identity primary key,
  ref             text        not null unique check (ref ~ '^[a-z]{20}$'),
  organization_id bigint      not null references platform.organizations,
  name            text        not null,
  cloud_provider  text        not null,
  region          text        not null,
  target          text        not null, -- the deployment target, one provisioner each
  compute_size    text        not null,
  services        text[]      not null,

  -- What is wanted. Every change of it raises `generation`.
  desired         text        not null check (desired in ('active', 'inactive', 'removed')),
  generation      bigint      not null default 1,

  -- What was seen. The provisioner alone writes these, under its lease.
  status              text   not null check (status in ('COMING_UP', 'ACTIVE_HEALTHY', 'ACTIVE_UNHEALTHY', 'INIT_FAILED',
                                                         'PAUSING', 'INACTIVE', 'PAUSE_FAILED', 'RESTORING', 'RESTORE_FAILED',
                                                         'RESTARTING', 'RESIZING', 'UPGRADING', 'GOING_DOWN', 'REMOVED')),
  observed_generation bigint not null default 0,
  message             text,   -- the last error in plain words; null when all is well
  db_version          text,   -- as the project's own Postgres reports it, `17.6`
  db_host             text,   -- where postgres-meta reaches the database
  db_port             integer,

  -- The lease. `fence` rises with every claim; every write of a provisioner names the fence that it holds.
  lease_owner      text,
  lease_expires_at timestamptz,
  fence            bigint      not null default 0,
  attempts         integer     not null default 0,
  retry_at         timestamptz,

  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index projects_organization on platform.projects (organization_id, name);
create index projects_unsettled on platform.projects (target) where observed_generation < generation;

-- Roles in one project alone, one for each member.
create table platform.project_members (
  project_id      bigint   not null references platform.projects on delete cascade,
  profile_id      bigint   not null,
  organization_id bigint   not null,
  role            smallint not null check (role between 1 and 4),
  primary key (project_id, profile_id),
  foreign key (organization_id, profile_id) references platform.members on delete cascade
);
create index project_members_profile on platform.project_members (organization_id, profile_id);

-- Invitations that nobody has accepted or declined yet. The token itself is never stored: only its SHA-256 digest.
create table platform.invitations (
  id              bigint      primary key default nextval('platform.member_numbers'),
  organization_id bigint      not null references platform.organizations on delete cascade,
  email           text        not null check (email = lower(email)),
  role            smallint    not null check (role between 1 and 4),
  scoped          boolean     not null, -- to the projects in invitation_projects
  digest          bytea       not null unique check (length(digest) = 32),
  invited_at      timestamptz not null,
  expires_at      timestamptz not null,
  unique (organization_id, email)
);
create table platform.invitation_projects (
  invitation_id bigint not null references platform.invitations on delete cascade,
  project_id    bigint not null references platform.projects on delete cascade,
  primary key (invitation_id, project_id)
);

-- Each project's secrets, sealed by its own data key, which the master key wraps. See store/seal.go.
create table platform.project_keys (
  project_id    bigint primary key references platform.projects on delete cascade,
  master_key_id text  not null,
  wrapped       bytea not null
);
create table platform.project_secrets (
  project_id bigint not null references platform.projects on delete cascade,
  name       text   not null,
  sealed     bytea  not null,
  primary key (project_id, name)
);

-- What a target hands out to its projects, freed when the project is gone.
create table platform.project_subnets (
  target     text   not null,
  subnet     cidr   not null,
  project_id bigint not null unique references platform.projects on delete cascade,
  primary key (target, subnet)
);
create table platform.project_ports (
  target     text    not null,
  port       integer not null check (port between 1024 and 65535),
  project_id bigint  not null references platform.projects on delete cascade,
  service    text    not null,
  primary key (target, port),
  unique (project_id, service)
);

-- What a target's provisioner found taken by somebody else on its host, and leaves alone for an hour.
create table platform.target_taken (
  target  text        not null,
  port    integer,
  subnet  cidr,
  seen_at timestamptz not null,
  check (num_nonnulls(port, subnet) = 1)
);
create index target_taken_target on platform.target_taken (target);

-- One row for everything that somebody asked of a project. Rows outlive their project.
create table platform.operations (
  id           bigint generated always as identity primary key,
  project_id   bigint      not null,
  project_ref  text        not null,
  kind         text        not null check (kind in ('create', 'pause', 'restore', 'restart', 'delete')),
  generation   bigint      not null,
  requested_by bigint      references platform.profiles on delete set null,
  request_id   text        not null,
  state        text        not null default 'pending' check (state in ('pending', 'running', 'succeeded', 'failed', 'superseded')),
  error        text,
  created_at   timestamptz not null,
  started_at   timestamptz,
  finished_at  timestamptz
);
create index operations_project on platform.operations (project_id, id);
create table platform.operation_steps (
  id           bigint generated always as identity primary key,
  operation_id bigint      not null references platform.operations on delete cascade,
  step         text        not null, -- `create-container:db`
  cause        text        not null, -- why the plan has it
  attempt      integer     not null,
  started_at   timestamptz not null,
  finished_at  timestamptz,
  error        text
);
create index operation_steps_operation on platform.operation_steps (operation_id, id);

-- One row for each target that has a provisioner.
create table platform.targets (
  name         text primary key,
  heartbeat_at timestamptz not null,
  owner        text        not null,
  version      text        not null
);

-- Writes that were done, so that a request that the gateway runs a second time is answered, not repeated.
create table platform.requests (
  profile_id  bigint      not null references platform.profiles on delete cascade,
  request_id  text        not null,
  fingerprint bytea       not null, -- SHA-256 of what was asked
  answer      bytea       not null, -- sealed: it may hold a secret that is shown once
  created_at  timestamptz not null,
  primary key (profile_id, request_id, fingerprint)
);
create index requests_age on platform.requests (created_at);

create table platform.audit_log (
  id              bigint generated always as identity primary key,
  occurred_at     timestamptz not null,
  profile_id      bigint, -- who; kept as a number when the profile is gone
  organization_id bigint,
  project_ref     text,
  action          text        not null, -- `projects.create`
  address         inet,
  request_id      text        not null,
  details         jsonb       not null default '{}'
);
create index audit_log_profile on platform.audit_log (profile_id, occurred_at desc);
create index audit_log_organization on platform.audit_log (organization_id, occurred_at desc);
