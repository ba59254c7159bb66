drop table platform.log_requests;
drop index platform.operations_upgraded;
drop table platform.project_measures;
