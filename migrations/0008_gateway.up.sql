-- From where a project may be reached. No row: from everywhere.
create table platform.network_restrictions (
  project_id bigint primary key references platform.projects on delete cascade,
  allowed    cidr[]      not null, -- IPv4 and IPv6
  before     cidr[],               -- what was allowed before the last change; null where nothing was said
  updated_at timestamptz not null
);

-- Addresses that a project's gateway turns away.
create table platform.network_bans (
  project_id bigint      not null references platform.projects on delete cascade,
  address    inet        not null,
  banned_at  timestamptz not null,
  primary key (project_id, address)
);

-- Names of its own that a project is reached by, besides <ref>.<domain>.
create table platform.custom_hostnames (
  project_id  bigint primary key references platform.projects on delete cascade,
  hostname    text        not null check (hostname = lower(hostname)),
  challenge   text        not null, -- what the TXT record has to hold, to show that the name is the project's own
  verified_at timestamptz,
  active      boolean     not null default false,
  created_at  timestamptz not null,
  updated_at  timestamptz not null
);
-- Anybody may try to prove that a name is theirs; only one can have it.
create unique index custom_hostnames_active on platform.custom_hostnames (hostname) where active;
create table platform.vanity_subdomains (
  project_id bigint primary key references platform.projects on delete cascade,
  subdomain  text        not null unique check (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  created_at timestamptz not null
);

-- How often each of a project's services was asked, and what it answered with, by the hour.
create table platform.project_traffic (
  project_id bigint      not null references platform.projects on delete cascade,
  hour       timestamptz not null,
  service    text        not null,
  requests   bigint      not null,
  egress     bigint      not null, -- bytes sent to clients; 0 where the gateway is not set up to count them
  primary key (project_id, hour, service)
);

create trigger tell_gateways after insert or update or delete on platform.network_restrictions
  for each row execute function platform.tell_gateways();
create trigger tell_gateways after insert or delete on platform.network_bans
  for each row execute function platform.tell_gateways();
create trigger tell_gateways after insert or update or delete on platform.custom_hostnames
  for each row execute function platform.tell_gateways();
create trigger tell_gateways after insert or update or delete on platform.vanity_subdomains
  for each row execute function platform.tell_gateways();
