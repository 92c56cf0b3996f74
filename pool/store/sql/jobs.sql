-- name: write_jobs
WITH begun AS (
    INSERT INTO job (id, account, model, status, tier, degraded, tier_reason)
    SELECT id, account, model, 'running', tier, degraded, tier_reason
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[])
           AS new (id, account, model, tier, degraded, tier_reason)
    ON CONFLICT (id) DO NOTHING
), ended AS (
    UPDATE job
       SET status = done.status, prompt_tokens = done.prompt_tokens, completion_tokens = done.completion_tokens,
           reason = done.reason, waited_s = done.waited_s, finished_at = now()
      FROM unnest($7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::text[], $12::double precision[])
           AS done (id, status, prompt_tokens, completion_tokens, reason, waited_s)
     WHERE job.id = done.id AND job.status IN ('running', 'lost')
    RETURNING job.id
), legs AS (
    INSERT INTO job_segment (job, ordinal, worker, start, stop)
    SELECT leg.job, leg.ordinal, leg.worker, leg.start, leg.stop
      FROM unnest($13::text[], $14::integer[], $15::text[], $16::bigint[], $17::bigint[])
           AS leg (job, ordinal, worker, start, stop)
      JOIN ended ON ended.id = leg.job
), losses AS (
    INSERT INTO job_takeover (job, ordinal, choice, worker, token, why, after_s)
    SELECT loss.job, loss.ordinal, loss.choice, loss.worker, loss.token, loss.why, loss.after_s
      FROM unnest($18::text[], $19::integer[], $20::integer[], $21::text[], $22::bigint[], $23::text[], $24::double precision[])
           AS loss (job, ordinal, choice, worker, token, why, after_s)
      JOIN ended ON ended.id = loss.job
)
SELECT id FROM ended

-- name: list_known
SELECT id FROM job WHERE id = ANY ($1::text[])

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
