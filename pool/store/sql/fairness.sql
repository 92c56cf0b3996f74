-- name: upsert_deficits
INSERT INTO worker_deficit (worker, file_sha256, deficit_s)
SELECT kept.worker, kept.file_sha256, kept.deficit_s
  FROM unnest($1::text[], $2::text[], $3::double precision[]) AS kept (worker, file_sha256, deficit_s)
ON CONFLICT (worker, file_sha256) DO UPDATE SET deficit_s = excluded.deficit_s, updated_at = now()

-- name: list_deficits
SELECT file_sha256, deficit_s, extract(epoch FROM now() - updated_at)::double precision AS age_s
  FROM worker_deficit
 WHERE worker = $1
 ORDER BY updated_at DESC
 LIMIT 1000

-- name: upsert_counters
INSERT INTO account_counter (account, counter)
SELECT kept.account, kept.counter
  FROM unnest($1::text[], $2::double precision[]) AS kept (account, counter)
  JOIN account ON account.id = kept.account
ON CONFLICT (account) DO UPDATE SET counter = excluded.counter, updated_at = now()

-- name: add_spent
INSERT INTO account_spent (account, day, cost)
SELECT kept.account, (now() AT TIME ZONE 'UTC')::date, kept.cost
  FROM unnest($1::text[], $2::double precision[]) AS kept (account, cost)
  JOIN account ON account.id = kept.account
ON CONFLICT (account, day) DO UPDATE SET cost = account_spent.cost + excluded.cost

-- name: list_counters
SELECT account, counter FROM account_counter ORDER BY account

-- name: list_spent
SELECT account, sum(cost) AS cost
  FROM account_spent
 WHERE day > (now() AT TIME ZONE 'UTC')::date - $1::integer
 GROUP BY account
 ORDER BY account
