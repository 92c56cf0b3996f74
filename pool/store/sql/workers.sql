-- name: upsert_workers
INSERT INTO worker (id, public_key, name, agent, hardware)
SELECT id, public_key, name, agent, hardware
  FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::jsonb[]) AS new (id, public_key, name, agent, hardware)
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, agent = excluded.agent, hardware = excluded.hardware, last_seen = now()
 WHERE worker.public_key = excluded.public_key
RETURNING id

-- name: list_workers
SELECT id, public_key, name, agent, hardware, first_seen, last_seen FROM worker ORDER BY first_seen, id

-- name: own_worker
INSERT INTO worker_owner (worker, account) VALUES ($1, $2) ON CONFLICT (worker) DO NOTHING

-- name: find_owner
SELECT o.account, a.name, o.claimed_at FROM worker_owner AS o JOIN account AS a ON a.id = o.account WHERE o.worker = $1

-- name: list_owned
SELECT o.worker, coalesce(w.name, '') AS name, o.claimed_at, w.last_seen
  FROM worker_owner AS o LEFT JOIN worker AS w ON w.id = o.worker
 WHERE o.account = $1
 ORDER BY o.claimed_at, o.worker

-- name: disown_worker
DELETE FROM worker_owner WHERE worker = $1 AND account = $2 RETURNING worker
