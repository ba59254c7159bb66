drop table platform.backup_targets, platform.project_clones, platform.project_restores, platform.backups;
delete from platform.operations where kind in ('backup', 'restore_backup');
alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check check (kind in (
  'create', 'pause', 'restore', 'restart', 'configure', 'resize', 'upgrade', 'delete'));
