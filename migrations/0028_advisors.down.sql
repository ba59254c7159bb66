drop table platform.advisor_findings;
delete from platform.notifications where profile_id is not null;
alter table platform.notifications drop column profile_id;
