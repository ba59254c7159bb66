-- When somebody's keys were last asked for, whether they could be had or not: one of the gateway's nodes asks, and the others don't.
alter table platform.third_party_auth add column asked_at timestamptz;
