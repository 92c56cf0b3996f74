CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE account (
    id          text PRIMARY KEY,
    name        text NOT NULL,
    name_key    text NOT NULL UNIQUE,            -- the name, case-folded by the pool: not left to the server's locale
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_key (
    kid          text PRIMARY KEY,
    account      text NOT NULL REFERENCES account (id),
    secret_hash  bytea NOT NULL,                 -- SHA-256 of a 256-bit random secret
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used    date,
    revoked_at   timestamptz
);
CREATE INDEX api_key_account ON api_key (account);

CREATE TABLE job (
    id                 text PRIMARY KEY,
    account            text NOT NULL REFERENCES account (id),
    model              text NOT NULL,
    status             text NOT NULL CHECK (status IN ('running', 'complete', 'cut', 'failed', 'void', 'lost')),
    prompt_tokens      bigint NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
    completion_tokens  bigint NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
    created_at         timestamptz NOT NULL DEFAULT now(),
    finished_at        timestamptz
);
CREATE INDEX job_running ON job (id) WHERE status = 'running';
CREATE INDEX job_account ON job (account, created_at DESC);

CREATE TABLE job_segment (
    job      text NOT NULL REFERENCES job (id),
    ordinal  integer NOT NULL CHECK (ordinal >= 0),
    worker   text NOT NULL,                      -- no reference: a worker may answer before its own row is written
    start    bigint NOT NULL CHECK (start >= 0),
    stop     bigint NOT NULL,
    PRIMARY KEY (job, ordinal),
    CHECK (stop >= start)
);
CREATE INDEX job_segment_worker ON job_segment (worker);

CREATE TABLE worker (
    id          text PRIMARY KEY,
    public_key  bytea NOT NULL UNIQUE CHECK (octet_length(public_key) = 32),
    name        text NOT NULL,
    agent       text NOT NULL DEFAULT '',
    hardware    jsonb NOT NULL,
    first_seen  timestamptz NOT NULL DEFAULT now(),
    last_seen   timestamptz NOT NULL DEFAULT now()
);
