alter table platform.project_measures drop column read_only;
