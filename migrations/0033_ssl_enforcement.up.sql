-- Whether the gateway's Postgres port refuses connections to the project's database in plain text.
alter table platform.projects add column ssl_enforced boolean not null default false;

drop trigger tell_gateways_of_changes on platform.projects;
create trigger tell_gateways_of_changes after update on platform.projects
  for each row when (old.status is distinct from new.status or old.services is distinct from new.services
    or old.db_host is distinct from new.db_host or old.db_port is distinct from new.db_port
    or old.ssl_enforced is distinct from new.ssl_enforced)
  execute function platform.tell_gateways_of_project();
