-- The keys that open a project's API, besides the two legacy ones, which are JWTs signed with the project's JWT secret. The
-- gateway finds a key by its digest; the key itself is kept sealed, to be shown to those who may see it.
create table platform.api_keys (
  id           uuid primary key,
  project_id   bigint      not null references platform.projects on delete cascade,
  type         text        not null check (type in ('publishable', 'secret')),
  name         text        not null,
  description  text,
  prefix       text        not null, -- `sb_secret_abcde`, to tell keys apart in a list
  digest       bytea       not null unique check (length(digest) = 32),
  sealed       bytea       not null,
  claims       jsonb,                -- of the JWT that the gateway makes of a secret key: {"role": "service_role"}
  created_at   timestamptz not null,
  updated_at   timestamptz not null,
  last_used_at timestamptz,
  unique (project_id, type, name)
);

-- The keys that a project's sessions are signed with, once it has more than its JWT secret. A row for that secret itself is
-- the legacy one: what it signs with stands in project_secrets.
create table platform.signing_keys (
  id         uuid primary key,
  project_id bigint      not null references platform.projects on delete cascade,
  algorithm  text        not null check (algorithm in ('EdDSA', 'ES256', 'RS256', 'HS256')),
  status     text        not null check (status in ('in_use', 'standby', 'previously_used', 'revoked')),
  legacy     boolean     not null,
  public_jwk jsonb,                -- null for HS256, which has nothing public
  sealed     bytea       not null, -- the private JWK
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index signing_keys_project on platform.signing_keys (project_id);
create unique index signing_keys_in_use on platform.signing_keys (project_id) where status = 'in_use';
create unique index signing_keys_standby on platform.signing_keys (project_id) where status = 'standby';
create unique index signing_keys_legacy on platform.signing_keys (project_id) where legacy;

-- Others whose tokens the project's services take.
create table platform.third_party_auth (
  id              uuid primary key,
  project_id      bigint      not null references platform.projects on delete cascade,
  type            text        not null,
  oidc_issuer_url text,
  jwks_url        text,
  custom_jwks     jsonb,
  resolved_jwks   jsonb,
  resolved_at     timestamptz,
  created_at      timestamptz not null,
  updated_at      timestamptz not null
);
create index third_party_auth_project on platform.third_party_auth (project_id);

-- What the gateway has to know of a project besides. No row: the defaults.
create table platform.project_gateway (
  project_id          bigint primary key references platform.projects on delete cascade,
  legacy_keys_enabled boolean not null default true
);

-- Every gateway node holds the projects in memory, and is told of each change that it has to know: the payload is the
-- project's number. A node that was not listening looks by itself, too.
create function platform.tell_gateways() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform pg_notify('plurabase_gateway', old.project_id::text);
  else
    perform pg_notify('plurabase_gateway', new.project_id::text);
  end if;
  return null;
end $$;
create function platform.tell_gateways_of_project() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    perform pg_notify('plurabase_gateway', old.id::text);
  else
    perform pg_notify('plurabase_gateway', new.id::text);
  end if;
  return null;
end $$;

create trigger tell_gateways after insert or delete on platform.projects
  for each row execute function platform.tell_gateways_of_project();
-- Leases and heartbeats change a project's row every few seconds, and are no gateway's business.
create trigger tell_gateways_of_changes after update on platform.projects
  for each row when (old.status is distinct from new.status or old.services is distinct from new.services
    or old.db_host is distinct from new.db_host or old.db_port is distinct from new.db_port)
  execute function platform.tell_gateways_of_project();
create trigger tell_gateways after insert or delete on platform.project_services
  for each row execute function platform.tell_gateways();
create trigger tell_gateways_of_changes after update on platform.project_services
  for each row when (old.host is distinct from new.host or old.port is distinct from new.port)
  execute function platform.tell_gateways();
create trigger tell_gateways after insert or delete on platform.api_keys
  for each row execute function platform.tell_gateways();
create trigger tell_gateways_of_changes after update on platform.api_keys
  for each row when (old.claims is distinct from new.claims) execute function platform.tell_gateways();
create trigger tell_gateways after insert or update or delete on platform.project_gateway
  for each row execute function platform.tell_gateways();
create trigger tell_gateways after insert or update on platform.project_secrets
  for each row when (new.name = 'jwt_secret') execute function platform.tell_gateways();
create trigger tell_gateways after insert or delete on platform.project_subnets
  for each row execute function platform.tell_gateways();
