drop table platform.notification_states;
drop table platform.notifications;
