-- name: lock
SELECT pg_advisory_xact_lock($1)

-- name: make_table
CREATE TABLE IF NOT EXISTS schema_migration (
    number      integer PRIMARY KEY,
    name        text NOT NULL,
    checksum    text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT now()
)

-- name: list_applied
SELECT number, name, checksum FROM schema_migration ORDER BY number

-- name: insert_applied
INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)

-- name: server
SELECT current_setting('server_version_num')::integer AS version,
       current_setting('server_version') AS version_text,
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') AS has_vector,
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'vector') AS made_vector,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser
