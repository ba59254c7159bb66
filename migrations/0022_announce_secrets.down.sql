drop trigger announce_delete on platform.project_secrets;
drop trigger announce_update on platform.project_secrets;
