-- The identity provider that an organization's owners have described, as Studio's form has it. Nobody signs in by it:
-- see store/sso.go. Nothing in it is secret: metadata is what an identity provider publishes.
create table platform.organization_sso (
  organization_id bigint      primary key references platform.organizations on delete cascade,
  settings        jsonb       not null,
  updated_at      timestamptz not null
);
