-- Until when an address is turned away; null: until somebody lets it in again.
alter table platform.network_bans add column until timestamptz;

-- The gateway's nodes open a project's database for /pg: they have to hear of its password, too.
drop trigger tell_gateways on platform.project_secrets;
create trigger tell_gateways after insert or update on platform.project_secrets
  for each row when (new.name in ('jwt_secret', 'db_password')) execute function platform.tell_gateways();

-- When the two legacy keys were last used; api_keys has it of the others. The beginning of the signature tells which key it was: they
-- are signed anew with a new JWT secret.
create table platform.legacy_key_uses (
  project_id bigint      not null references platform.projects on delete cascade,
  role       text        not null check (role in ('anon', 'service_role')),
  signature  text        not null,
  used_at    timestamptz not null,
  primary key (project_id, role)
);
