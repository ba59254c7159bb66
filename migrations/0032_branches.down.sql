drop trigger mirror on platform.project_members;
drop function platform.mirror_project_member;
drop table platform.migration_runs, platform.branches;
delete from platform.operations where kind = 'migrate';
alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check check (kind in (
  'create', 'pause', 'restore', 'restart', 'configure', 'resize', 'upgrade', 'delete', 'backup', 'restore_backup'));
alter table platform.projects drop column parent_id, drop column branching;
