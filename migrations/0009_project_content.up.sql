-- What people keep with a project in Studio: SQL snippets, reports and saved log queries, in folders.
create table platform.content_folders (
  id         uuid        primary key,
  project_id bigint      not null references platform.projects on delete cascade,
  owner_id   bigint      not null references platform.profiles on delete cascade,
  parent_id  uuid        references platform.content_folders on delete cascade,
  name       text        not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index content_folders_project on platform.content_folders (project_id, owner_id);

create table platform.content (
  id          uuid        primary key,
  project_id  bigint      not null references platform.projects on delete cascade,
  owner_id    bigint      not null references platform.profiles on delete cascade,
  updated_by  bigint      references platform.profiles on delete set null,
  folder_id   uuid        references platform.content_folders on delete cascade, -- the owner's own folders
  type        text        not null check (type in ('sql', 'report', 'log_sql')),
  name        text        not null,
  description text,
  visibility  text        not null check (visibility in ('user', 'project', 'org', 'public')), -- `user`: the owner alone
  content     jsonb       not null,
  created_at  timestamptz not null,
  updated_at  timestamptz not null
);
create index content_project on platform.content (project_id, type, created_at);
create index content_folder on platform.content (folder_id);

-- Everybody has favourites of their own.
create table platform.content_favorites (
  content_id uuid   not null references platform.content on delete cascade,
  profile_id bigint not null references platform.profiles on delete cascade,
  primary key (content_id, profile_id)
);

-- What the advisors find and somebody decided to live with, or to have somebody look after.
create table platform.advisor_exceptions (
  id          uuid        primary key,
  project_id  bigint      not null references platform.projects on delete cascade,
  lint_name   text,
  category    text,
  metadata    jsonb,
  disabled    boolean     not null, -- the finding is not shown any more
  note        text,
  assigned_to uuid,
  updated_by  bigint      references platform.profiles on delete set null,
  created_at  timestamptz not null
);
create index advisor_exceptions_project on platform.advisor_exceptions (project_id);

-- A project whose data Studio's assistant is kept away from.
alter table platform.projects add column is_sensitive boolean not null default false;
