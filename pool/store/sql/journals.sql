-- name: insert_answer
INSERT INTO kept_answer (job, account, tag, body, sealed, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::float8 * interval '1 second')
ON CONFLICT DO NOTHING

-- name: insert_kept_job
INSERT INTO kept_job (job, answer, ordinal) VALUES ($1, $2, $3) ON CONFLICT (job) DO NOTHING

-- name: clear_expired
DELETE FROM kept_answer WHERE tag = $1 AND expires_at <= now()

-- name: find_job_of_tag
SELECT job FROM kept_answer WHERE tag = $1

-- name: keep
UPDATE kept_answer
   SET expires_at = greatest(expires_at, now() + $2::float8 * interval '1 second')
 WHERE job = ANY($1::text[]) AND NOT over

-- name: find_answer
SELECT job, body, over, sealed FROM kept_answer WHERE tag = $1 AND expires_at > now()

-- name: list_kept_jobs
SELECT job FROM kept_job WHERE answer = $1 ORDER BY ordinal

-- name: list_journal
SELECT kept_journal.job, kept_journal.ordinal, kept_journal.sealed
  FROM kept_journal JOIN kept_job ON kept_job.job = kept_journal.job
 WHERE kept_job.answer = $1
 ORDER BY kept_journal.ordinal

-- name: insert_journal
INSERT INTO kept_journal (job, ordinal, sealed)
SELECT $1, $2, $3 WHERE EXISTS (SELECT 1 FROM kept_job WHERE job = $1)
ON CONFLICT (job, ordinal) DO NOTHING

-- name: update_kept_job
UPDATE kept_job SET epoch = $2, worker = $3, file_sha256 = $4, tokens = $5 WHERE job = $1

-- name: delete_jobs
DELETE FROM kept_job WHERE answer = $1

-- name: end_answer
UPDATE kept_answer
   SET over = true, sealed = '', expires_at = now() + $2::float8 * interval '1 second'
 WHERE job = $1

-- name: delete_answer
DELETE FROM kept_answer WHERE job = $1

-- name: list_expected
SELECT kept_job.job, kept_job.epoch, kept_job.worker
  FROM kept_job JOIN kept_answer ON kept_answer.job = kept_job.answer
 WHERE NOT kept_answer.over AND kept_answer.expires_at > now()

-- name: list_live
SELECT job FROM kept_answer WHERE NOT over AND expires_at > now()

-- name: sweep
WITH gone AS (DELETE FROM kept_answer WHERE expires_at <= now() RETURNING job, over)
UPDATE job SET status = 'lost', finished_at = now()
 WHERE status = 'running' AND id IN (SELECT job FROM gone WHERE NOT over)
