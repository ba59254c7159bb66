{:ok, _} = Application.ensure_all_started(:supavisor)
%{rows: [[banner]]} = Supavisor.Repo.query!("select version()")
{:ok, version} = Supavisor.Helpers.parse_pg_version(banner)
tenant = System.fetch_env!("POOLER_TENANT_ID")
size = String.to_integer(System.fetch_env!("POOLER_DEFAULT_POOL_SIZE"))

# What is kept of the tenant may be of an earlier start, with another password or other sizes.
Supavisor.Tenants.delete_tenant_by_external_id(tenant)

{:ok, _} =
  Supavisor.Tenants.create_tenant(%{
    "external_id" => tenant,
    "db_host" => System.fetch_env!("POOLER_DATABASE_HOST"),
    "db_port" => 5432,
    "db_database" => "postgres",
    "require_user" => false,
    "auth_query" => "SELECT * FROM pgbouncer.get_auth($1)",
    "default_max_clients" => String.to_integer(System.fetch_env!("POOLER_MAX_CLIENT_CONN")),
    "default_pool_size" => size,
    "default_parameter_status" => %{"server_version" => version},
    "users" => [
      %{
        "db_user" => "pgbouncer",
        "db_password" => System.fetch_env!("POOLER_DATABASE_PASSWORD"),
        "mode_type" => System.fetch_env!("POOLER_POOL_MODE"),
        "pool_size" => size,
        "is_manager" => true
      }
    ]
  })
