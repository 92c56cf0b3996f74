-- name: write_jobs
WITH begun AS (
    INSERT INTO job (id, account, model, status)
    SELECT id, account, model, 'running' FROM unnest($1::text[], $2::text[], $3::text[]) AS new (id, account, model)
    ON CONFLICT (id) DO NOTHING
), ended AS (
    UPDATE job
       SET status = done.status, prompt_tokens = done.prompt_tokens, completion_tokens = done.completion_tokens,
           finished_at = now()
      FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS done (id, status, prompt_tokens, completion_tokens)
     WHERE job.id = done.id AND job.status IN ('running', 'lost')
    RETURNING job.id
), legs AS (
    INSERT INTO job_segment (job, ordinal, worker, start, stop)
    SELECT leg.job, leg.ordinal, leg.worker, leg.start, leg.stop
      FROM unnest($8::text[], $9::integer[], $10::text[], $11::bigint[], $12::bigint[]) AS leg (job, ordinal, worker, start, stop)
      JOIN ended ON ended.id = leg.job
)
SELECT id FROM ended

-- name: list_known
SELECT id FROM job WHERE id = ANY ($1::text[])

-- name: find_job
SELECT id, account, model, status, prompt_tokens, completion_tokens, created_at, finished_at FROM job WHERE id = $1

-- name: list_segments
SELECT worker, start, stop FROM job_segment WHERE job = $1 ORDER BY ordinal

-- name: lose_running
UPDATE job SET status = 'lost', finished_at = now() WHERE status = 'running' RETURNING id
