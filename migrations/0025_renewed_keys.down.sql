alter table platform.third_party_auth drop column asked_at;
