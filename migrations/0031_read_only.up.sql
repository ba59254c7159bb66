-- Whether a project's database takes no changes, as it was when it was measured.
alter table platform.project_measures add column read_only boolean; -- null: it did not answer
