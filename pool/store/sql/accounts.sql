-- name: insert_account
INSERT INTO account (id, name, name_key) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING

-- name: insert_key
INSERT INTO api_key (kid, account, secret_hash) VALUES ($1, $2, $3) ON CONFLICT (kid) DO NOTHING

-- name: find_account
SELECT id, name FROM account WHERE name_key = $1

-- name: list_accounts
SELECT id, name FROM account ORDER BY created_at, id

-- name: find_key
SELECT account, secret_hash, last_used FROM api_key WHERE kid = $1 AND revoked_at IS NULL

-- name: touch_key
UPDATE api_key SET last_used = $2 WHERE kid = $1 AND last_used IS DISTINCT FROM $2

-- name: revoke_key
UPDATE api_key SET revoked_at = now() WHERE kid = $1 AND revoked_at IS NULL RETURNING kid

-- name: list_keys
SELECT kid, created_at, last_used, revoked_at FROM api_key WHERE account = $1 ORDER BY created_at, kid
