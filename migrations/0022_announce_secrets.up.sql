-- The plugins keep a project's secrets in memory as they are kept here, sealed (store/memory.go), and are told when they change.
create trigger announce_update after update on platform.project_secrets referencing new table as changed
  for each statement execute function platform.announce('secrets', 'project_id');
create trigger announce_delete after delete on platform.project_secrets referencing old table as changed
  for each statement execute function platform.announce('secrets', 'project_id');
