alter table platform.operations drop constraint operations_kind_check;
alter table platform.operations add constraint operations_kind_check
  check (kind in ('create', 'pause', 'restore', 'restart', 'delete'));
drop table platform.project_services;
drop table platform.project_config;
