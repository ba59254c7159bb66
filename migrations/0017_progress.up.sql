-- By which whoever asked for another JWT secret follows what becomes of it.
alter table platform.operations add column tracking_id text;

-- How far a step has come that takes its time, as the pull of an image.
alter table platform.operation_steps
  add column percent integer check (percent between 0 and 100),
  add column detail  text; -- `12.5 of 80.0 MB`

-- What is on a target's engine and belongs to no project that is known, by its provisioner's last look.
alter table platform.targets add column orphans jsonb not null default '[]';
