drop table platform.organization_sso;
