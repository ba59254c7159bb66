-- The plugins keep in memory who somebody is and what they may do (store/memory.go), and are told here what has changed. A
-- payload names what: `profile:7`, `organization:3`, `project:abcdefghijklmnopqrst`, or `*` for too much to name.
create function platform.announce() returns trigger language plpgsql as $$
declare
  names text[];
  name  text;
begin
  -- The arguments: what changes are called, and the column that tells them apart.
  execute format('select array_agg(name) from (select distinct %L || %I::text as name from changed limit 101) few',
    tg_argv[0] || ':', tg_argv[1]) into names;
  if cardinality(names) > 100 then
    names := array['*'];
  end if;
  foreach name in array coalesce(names, '{}') loop
    perform pg_notify('plurabase_changes', name);
  end loop;
  return null;
end $$;

-- Somebody new is not in any memory yet: inserts matter where they add to what somebody has.
create trigger announce_update after update on platform.profiles referencing new table as changed
  for each statement execute function platform.announce('profile', 'id');
create trigger announce_delete after delete on platform.profiles referencing old table as changed
  for each statement execute function platform.announce('profile', 'id');

create trigger announce_update after update on platform.access_tokens referencing new table as changed
  for each statement execute function platform.announce('profile', 'profile_id');
create trigger announce_delete after delete on platform.access_tokens referencing old table as changed
  for each statement execute function platform.announce('profile', 'profile_id');

create trigger announce_insert after insert on platform.members referencing new table as changed
  for each statement execute function platform.announce('profile', 'profile_id');
create trigger announce_update after update on platform.members referencing new table as changed
  for each statement execute function platform.announce('profile', 'profile_id');
create trigger announce_delete after delete on platform.members referencing old table as changed
  for each statement execute function platform.announce('profile', 'profile_id');

create trigger announce_insert after insert on platform.project_members referencing new table as changed
  for each statement execute function platform.announce('profile', 'profile_id');
create trigger announce_update after update on platform.project_members referencing new table as changed
  for each statement execute function platform.announce('profile', 'profile_id');
create trigger announce_delete after delete on platform.project_members referencing old table as changed
  for each statement execute function platform.announce('profile', 'profile_id');

create trigger announce_update after update on platform.organizations referencing new table as changed
  for each statement execute function platform.announce('organization', 'id');
create trigger announce_delete after delete on platform.organizations referencing old table as changed
  for each statement execute function platform.announce('organization', 'id');

create trigger announce_update after update on platform.projects referencing new table as changed
  for each statement execute function platform.announce('project', 'ref');
create trigger announce_delete after delete on platform.projects referencing old table as changed
  for each statement execute function platform.announce('project', 'ref');

-- For the lists of members and of projects, in the order that they are shown in.
create index members_joined on platform.members (organization_id, joined_at, number);
create index projects_organization_lower on platform.projects (organization_id, lower(name), id);
