drop index platform.projects_functions_due;
