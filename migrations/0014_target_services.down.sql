alter table platform.targets drop column services;
