-- What the members of an organization are told of its projects. A project's notifications outlive it, for those who have a
-- role in the whole organization.
create table platform.notifications (
  id              uuid        primary key default gen_random_uuid(),
  organization_id bigint      not null references platform.organizations on delete cascade,
  project_id      bigint      not null,
  name            text        not null, -- for programs, `projects.create.failed`
  priority        text        not null check (priority in ('Critical', 'Warning', 'Info')),
  title           text        not null,
  message         text        not null,
  inserted_at     timestamptz not null
);
create index notifications_organization on platform.notifications (organization_id, inserted_at desc);
create index notifications_project on platform.notifications (project_id, inserted_at desc);
create index notifications_age on platform.notifications (inserted_at);

-- What each member has done with a notification. It is new to those who have no row.
create table platform.notification_states (
  profile_id      bigint not null references platform.profiles on delete cascade,
  notification_id uuid   not null references platform.notifications on delete cascade,
  status          text   not null check (status in ('new', 'seen', 'archived')),
  primary key (profile_id, notification_id)
);
create index notification_states_notification on platform.notification_states (notification_id);
