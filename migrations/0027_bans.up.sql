-- Until when an address is turned away; null: until somebody lets it in again.
alter table platform.network_bans add column until timestamptz;

-- The gateway's nodes open a project's database for /pg: they have to hear of its password, too.
drop trigger tell_gateways on platform.project_secrets;
create trigger tell_gateways after insert or update on platform.project_secrets
  for each row when (new.name in ('jwt_secret', 'db_password')) execute function platform.tell_gateways();
