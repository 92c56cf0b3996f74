-- name: upsert_model
INSERT INTO model (id, kind, context_tokens, vocabulary_tokens, tool_format, reasoning_format, file_sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE
   SET kind = excluded.kind, context_tokens = excluded.context_tokens, vocabulary_tokens = excluded.vocabulary_tokens,
       tool_format = excluded.tool_format, reasoning_format = excluded.reasoning_format, file_sha256 = excluded.file_sha256, last_seen = now()

-- name: recent_models
SELECT id, kind, context_tokens, vocabulary_tokens, tool_format, reasoning_format, file_sha256,
       extract(epoch FROM first_seen)::bigint AS created
  FROM model
 WHERE last_seen > now() - $1::interval
 ORDER BY id
 LIMIT 1000
