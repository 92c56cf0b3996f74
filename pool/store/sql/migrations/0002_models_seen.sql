CREATE TABLE model (
    id                 text PRIMARY KEY,
    kind               text NOT NULL CHECK (kind IN ('chat', 'completion', 'embedding')),
    context_tokens     bigint NOT NULL CHECK (context_tokens > 0),
    vocabulary_tokens  bigint NOT NULL CHECK (vocabulary_tokens > 0),
    tool_format        text NOT NULL,
    file_sha256        text[] NOT NULL,
    first_seen         timestamptz NOT NULL DEFAULT now(),
    last_seen          timestamptz NOT NULL DEFAULT now()
);
