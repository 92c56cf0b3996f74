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
