alter table platform.targets drop column engine_version, drop column cpus, drop column memory_bytes, drop column images;
delete from platform.operations where kind in ('resize', 'upgrade');
alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check
  check (kind in ('create', 'pause', 'restore', 'restart', 'configure', 'delete'));
alter table platform.operations drop column services, drop column planned, drop column undone;
drop table platform.project_images;
