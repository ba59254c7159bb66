alter table platform.projects drop column is_sensitive;
drop table platform.advisor_exceptions;
drop table platform.content_favorites;
drop table platform.content;
drop table platform.content_folders;
