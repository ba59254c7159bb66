-- Branches of projects: projects of their own, made with what the parent's migrations say. See store/branches.go.
alter table platform.projects
  add parent_id bigint references platform.projects, -- of a branch; nothing with branches is deleted
  add branching boolean not null default false;      -- has had a branch, and shows itself as the default one
create index projects_parent on platform.projects (parent_id) where parent_id is not null;

create table platform.branches (
  id                    uuid        primary key default gen_random_uuid(),
  project_id            bigint      not null unique references platform.projects on delete cascade,
  parent_id             bigint      not null references platform.projects on delete cascade, -- itself: the default branch
  name                  text        not null check (length(name) between 1 and 255),
  git_branch            text, -- a name alone: nothing here talks to a Git host
  persistent            boolean     not null,
  with_data             boolean     not null, -- made of a backup of the parent
  failed                boolean     not null default false, -- the migrations that it was last to take over are not in it
  review_requested_at   timestamptz,
  deletion_scheduled_at timestamptz, -- when a provisioner deletes it
  created_at            timestamptz not null,
  updated_at            timestamptz not null,
  unique (parent_id, name)
);
create index branches_deletion on platform.branches (deletion_scheduled_at) where deletion_scheduled_at is not null;

-- What a project shall take over of another one and has not yet: at most one thing at a time.
create table platform.migration_runs (
  project_id bigint primary key references platform.projects on delete cascade,
  source_id  bigint      references platform.projects on delete set null, -- whose functions come along
  sealed     bytea       not null, -- store.MigrationRun, for SQL may hold secrets
  created_at timestamptz not null
);

-- Whoever has a role in a project alone has it in its branches.
create function platform.mirror_project_member() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    delete from platform.project_members m using platform.projects p
    where p.parent_id = old.project_id and m.project_id = p.id and m.profile_id = old.profile_id;
  else
    insert into platform.project_members (project_id, profile_id, organization_id, role)
    select p.id, new.profile_id, new.organization_id, new.role from platform.projects p where p.parent_id = new.project_id
    on conflict (project_id, profile_id) do update set role = excluded.role;
  end if;
  return null;
end $$;
create trigger mirror after insert or update or delete on platform.project_members
  for each row execute function platform.mirror_project_member();

alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check check (kind in (
  'create', 'pause', 'restore', 'restart', 'configure', 'resize', 'upgrade', 'delete', 'backup', 'restore_backup', 'migrate'));
