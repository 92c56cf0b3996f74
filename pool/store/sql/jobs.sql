-- name: write_jobs
WITH written AS (
    INSERT INTO job (id, account, model, tier, degraded, tier_reason, created_at,
                     status, prompt_tokens, completion_tokens, reason, waited_s, finished_at)
    SELECT id, account, model, tier, degraded, tier_reason, to_timestamp(at_s),
           status, prompt_tokens, completion_tokens, reason, waited_s, CASE WHEN status <> 'running' THEN now() END
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::double precision[],
                  $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::double precision[])
           AS new (id, account, model, tier, degraded, tier_reason, at_s,
                   status, prompt_tokens, completion_tokens, reason, waited_s)
    ON CONFLICT (id) DO UPDATE
       SET status = excluded.status, prompt_tokens = excluded.prompt_tokens, completion_tokens = excluded.completion_tokens,
           reason = excluded.reason, waited_s = excluded.waited_s, finished_at = excluded.finished_at
     WHERE job.status IN ('running', 'lost') AND excluded.status <> 'running'
    RETURNING id
), legs AS (
    INSERT INTO job_segment (job, ordinal, worker, start, stop)
    SELECT leg.job, leg.ordinal, leg.worker, leg.start, leg.stop
      FROM unnest($13::text[], $14::integer[], $15::text[], $16::bigint[], $17::bigint[])
           AS leg (job, ordinal, worker, start, stop)
      JOIN written ON written.id = leg.job
)
INSERT INTO job_takeover (job, ordinal, choice, worker, token, why, after_s)
SELECT loss.job, loss.ordinal, loss.choice, loss.worker, loss.token, loss.why, loss.after_s
  FROM unnest($18::text[], $19::integer[], $20::integer[], $21::text[], $22::bigint[], $23::text[], $24::double precision[])
       AS loss (job, ordinal, choice, worker, token, why, after_s)
  JOIN written ON written.id = loss.job

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
