drop table platform.audit_log, platform.requests, platform.targets, platform.target_taken, platform.operation_steps, platform.operations,
  platform.project_ports, platform.project_subnets, platform.project_secrets, platform.project_keys, platform.projects,
  platform.invitation_projects, platform.invitations, platform.project_members, platform.members, platform.organizations, platform.access_tokens, platform.profiles;
drop sequence platform.member_numbers;
