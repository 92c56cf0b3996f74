-- name: insert_job
INSERT INTO job (id, account, model, status) VALUES ($1, $2, $3, 'running') ON CONFLICT (id) DO NOTHING

-- name: finish_job
UPDATE job
   SET status = $2, prompt_tokens = $3, completion_tokens = $4, finished_at = now()
 WHERE id = $1 AND status IN ('running', 'lost')
RETURNING id

-- name: insert_segment
INSERT INTO job_segment (job, ordinal, worker, start, stop) VALUES ($1, $2, $3, $4, $5)

-- name: find_job
SELECT id, account, model, status, prompt_tokens, completion_tokens, created_at, finished_at FROM job WHERE id = $1

-- name: list_segments
SELECT worker, start, stop FROM job_segment WHERE job = $1 ORDER BY ordinal

-- name: lose_running
UPDATE job SET status = 'lost', finished_at = now()
 WHERE status = 'running'
   AND id NOT IN (SELECT job FROM kept_answer WHERE NOT over AND expires_at > now())
RETURNING id
