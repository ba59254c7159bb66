drop table platform.cli_logins;
delete from platform.access_tokens where oauth_grant_id is not null;
alter table platform.access_tokens drop column oauth_grant_id;
drop table platform.oauth_refresh_tokens;
drop table platform.oauth_grants;
drop table platform.oauth_client_secrets;
drop table platform.oauth_apps;
