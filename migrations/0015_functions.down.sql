alter table platform.projects drop functions_generation, drop functions_synced;
drop table platform.function_versions;
drop table platform.functions;
