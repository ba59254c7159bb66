drop table platform.legacy_key_uses;
drop trigger tell_gateways on platform.project_secrets;
create trigger tell_gateways after insert or update on platform.project_secrets
  for each row when (new.name = 'jwt_secret') execute function platform.tell_gateways();
alter table platform.network_bans drop column until;
