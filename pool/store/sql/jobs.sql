-- name: insert_job
INSERT INTO job (id, account, model, status, tier, degraded, tier_reason) VALUES ($1, $2, $3, 'running', $4, $5, $6)
ON CONFLICT (id) DO NOTHING

-- name: finish_job
UPDATE job
   SET status = $2, prompt_tokens = $3, completion_tokens = $4, reason = $5, waited_s = $6, finished_at = now()
 WHERE id = $1 AND status IN ('running', 'lost')
RETURNING id

-- name: insert_segment
INSERT INTO job_segment (job, ordinal, worker, start, stop) VALUES ($1, $2, $3, $4, $5)

-- name: insert_takeover
INSERT INTO job_takeover (job, ordinal, choice, worker, token, why, after_s) VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: find_job
SELECT id, account, model, status, prompt_tokens, completion_tokens, created_at, finished_at,
       tier, degraded, tier_reason, reason, waited_s
  FROM job
 WHERE id = $1

-- name: list_takeovers
SELECT choice, worker, token, why, after_s FROM job_takeover WHERE job = $1 ORDER BY ordinal

-- name: list_segments
SELECT worker, start, stop FROM job_segment WHERE job = $1 ORDER BY ordinal

-- name: lose_running
UPDATE job SET status = 'lost', finished_at = now() WHERE status = 'running' RETURNING id
