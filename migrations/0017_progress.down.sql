alter table platform.targets drop column orphans;
alter table platform.operation_steps drop column detail, drop column percent;
alter table platform.operations drop column tracking_id;
