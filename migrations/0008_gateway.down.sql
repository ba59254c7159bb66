drop table platform.project_traffic;
drop table platform.vanity_subdomains;
drop table platform.custom_hostnames;
drop table platform.network_bans;
drop table platform.network_restrictions;
