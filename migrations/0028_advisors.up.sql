-- Of those that are for one member alone: whom.
alter table platform.notifications add column profile_id bigint references platform.profiles on delete cascade;
create index notifications_profile on platform.notifications (profile_id) where profile_id is not null;

-- What the advisors found in a project that its members were told of. A row goes when the finding does, and with it what was told.
-- See store/findings.go.
create table platform.advisor_findings (
  project_id      bigint      not null references platform.projects on delete cascade,
  key             text        not null, -- the same for the same finding
  notification_id uuid        references platform.notifications on delete set null, -- null: forgotten by its age
  found_at        timestamptz not null,
  primary key (project_id, key)
);
create index advisor_findings_notification on platform.advisor_findings (notification_id);
