drop trigger tell_gateways_of_changes on platform.projects;
create trigger tell_gateways_of_changes after update on platform.projects
  for each row when (old.status is distinct from new.status or old.services is distinct from new.services
    or old.db_host is distinct from new.db_host or old.db_port is distinct from new.db_port)
  execute function platform.tell_gateways_of_project();

alter table platform.projects drop column ssl_enforced;
