-- Which services a new project of the target has where nobody decides, by its provisioner's last heartbeat. Null: the
-- platform's own default.
alter table platform.targets add column services text[];
