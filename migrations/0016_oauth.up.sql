-- OAuth 2: applications that act for members of an organization (store/oauth_apps.go, store/oauth_grants.go), and the sign-in of
-- the supabase CLI by way of a browser (store/cli_logins.go). No secret and no token is stored, only their SHA-256 digests.

create table platform.oauth_apps (
  id              uuid        primary key,
  client_id       uuid        not null unique,
  organization_id bigint      references platform.organizations on delete cascade, -- whose it is; null: it registered itself
  name            text        not null,
  website         text        not null,
  icon            text,
  redirect_uris   text[]      not null,
  scopes          text[]      not null, -- the most that it may ask for
  public          boolean     not null, -- it cannot keep a secret, and proves by PKCE alone that a code is its own
  created_by      bigint      references platform.profiles on delete set null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null
);
create index oauth_apps_organization on platform.oauth_apps (organization_id);

create table platform.oauth_client_secrets (
  id           uuid        primary key,
  app_id       uuid        not null references platform.oauth_apps on delete cascade,
  digest       bytea       not null unique check (length(digest) = 32),
  alias        text        not null, -- the first digits, to tell secrets apart in a list
  created_by   bigint      references platform.profiles on delete set null,
  created_at   timestamptz not null,
  last_used_at timestamptz
);
create index oauth_client_secrets_app on platform.oauth_client_secrets (app_id);

-- What somebody has decided of an application's request. Requests that nobody has decided are not stored: they travel, sealed,
-- in the address of Studio's page. An approved one is a grant for as long as it is here.
create table platform.oauth_grants (
  id              uuid        primary key, -- the request's
  app_id          uuid        not null references platform.oauth_apps on delete cascade,
  organization_id bigint      not null references platform.organizations on delete cascade,
  profile_id      bigint      not null references platform.profiles on delete cascade, -- who decided; what the application does, it does as them
  approved        boolean     not null,
  decided_at      timestamptz not null,
  scopes          text[]      not null,
  redirect_uri    text        not null,
  code_challenge  text,                -- PKCE, S256; null where a confidential client sent none
  code_digest     bytea       unique check (length(code_digest) = 32),
  code_expires_at timestamptz,
  code_used_at    timestamptz,
  check (approved = (code_digest is not null) and approved = (code_expires_at is not null))
);
create index oauth_grants_app on platform.oauth_grants (app_id, organization_id);
create index oauth_grants_organization on platform.oauth_grants (organization_id);
create index oauth_grants_profile on platform.oauth_grants (profile_id);

-- A refresh token is good once. The used ones stay, so that one that turns up again ends the grant.
create table platform.oauth_refresh_tokens (
  digest     bytea       primary key check (length(digest) = 32),
  grant_id   uuid        not null references platform.oauth_grants on delete cascade,
  expires_at timestamptz not null,
  used_at    timestamptz
);
create index oauth_refresh_tokens_grant on platform.oauth_refresh_tokens (grant_id);

-- The grant that an access token was issued for; null for a personal one.
alter table platform.access_tokens add column oauth_grant_id uuid references platform.oauth_grants on delete cascade;
create index access_tokens_oauth_grant on platform.access_tokens (oauth_grant_id) where oauth_grant_id is not null;

-- Access tokens that wait for the CLI that they were made for, encrypted to its key.
create table platform.cli_logins (
  session_id      uuid        primary key,
  access_token_id bigint      not null unique references platform.access_tokens on delete cascade,
  public_key      text        not null, -- of the platform's side, made for this one
  nonce           text        not null,
  ciphertext      text        not null,
  created_at      timestamptz not null,
  expires_at      timestamptz not null,
  wrong           integer     not null default 0 -- codes that were tried and were not the one
);
create index cli_logins_expiry on platform.cli_logins (expires_at);
