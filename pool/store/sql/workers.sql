-- name: upsert_worker
INSERT INTO worker (id, public_key, name, agent, hardware) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE
   SET name = excluded.name, agent = excluded.agent, hardware = excluded.hardware, last_seen = now()
 WHERE worker.public_key = excluded.public_key
RETURNING id

-- name: list_workers
SELECT id, public_key, name, agent, hardware, first_seen, last_seen FROM worker ORDER BY first_seen, id
