// Package images names the images that projects run, in one place. Each can be overridden by a setting.
package images

// Postgres is the image of a project's database, the one that the supabase CLI starts (its pkg/config/templates/Dockerfile).
const Postgres = "supabase/postgres:17.6.1.132"
