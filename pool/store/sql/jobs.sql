-- name: write_jobs
WITH new AS (
    SELECT id, account, model, tier, degraded, tier_reason, at_s,
           status, prompt_tokens, completion_tokens, reason, waited_s, legs, losses
      FROM jsonb_to_recordset($1::jsonb)
        AS new (id text, account text, model text, tier text, degraded boolean, tier_reason text, at_s double precision,
                status text, prompt_tokens bigint, completion_tokens bigint, reason text, waited_s double precision,
                legs jsonb, losses jsonb)
), written AS (
    INSERT INTO job (id, account, model, tier, degraded, tier_reason, created_at,
                     status, prompt_tokens, completion_tokens, reason, waited_s, finished_at)
    SELECT id, account, model, tier, degraded, tier_reason, to_timestamp(at_s),
           status, prompt_tokens, completion_tokens, reason, waited_s, CASE WHEN status <> 'running' THEN now() END
      FROM new
    ON CONFLICT (id) DO UPDATE
       SET status = excluded.status, prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
           reason = excluded.reason, waited_s = excluded.waited_s, finished_at = excluded.finished_at
     WHERE job.status IN ('running', 'lost') AND excluded.status <> 'running'
    RETURNING id
), legs AS (
    INSERT INTO job_segment (job, ordinal, worker, start, stop)
    SELECT new.id, leg.ordinal - 1, leg.worker, leg.start, leg.stop
      FROM written
      JOIN new ON new.id = written.id,
           ROWS FROM (jsonb_to_recordset(new.legs) AS (worker text, start bigint, stop bigint))
           WITH ORDINALITY AS leg (worker, start, stop, ordinal)
)
INSERT INTO job_takeover (job, ordinal, choice, worker, token, why, after_s)
SELECT new.id, loss.ordinal - 1, loss.choice, loss.worker, loss.token, loss.why, loss.after_s
  FROM written
  JOIN new ON new.id = written.id,
       ROWS FROM (jsonb_to_recordset(new.losses)
                  AS (choice integer, worker text, token bigint, why text, after_s double precision))
       WITH ORDINALITY AS loss (choice, worker, token, why, after_s, ordinal)

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
UPDATE job SET status = 'lost', finished_at = now()
 WHERE status = 'running'
   AND id NOT IN (SELECT job FROM kept_answer WHERE NOT over AND expires_at > now())
RETURNING id
