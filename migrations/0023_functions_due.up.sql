-- The provisioner looks for the projects whose functions service lacks what was deployed last, every few seconds.
create index projects_functions_due on platform.projects (target) where functions_synced < functions_generation;
