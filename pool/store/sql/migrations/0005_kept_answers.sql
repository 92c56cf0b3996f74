CREATE TABLE kept_answer (                       -- a request with an Idempotency-Key; nothing here can be read without its API key
    job         text PRIMARY KEY,
    account     text NOT NULL REFERENCES account (id),
    tag         bytea NOT NULL UNIQUE,           -- HMAC of the Idempotency-Key under a key from the API key's secret
    body        bytea NOT NULL,                  -- HMAC of the request, likewise
    over        boolean NOT NULL DEFAULT false,
    sealed      bytea NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX kept_answer_expires ON kept_answer (expires_at);

CREATE TABLE kept_job (                          -- what a worker must tell to go on with it: ids and counts
    job          text PRIMARY KEY,
    answer       text NOT NULL REFERENCES kept_answer (job) ON DELETE CASCADE,
    ordinal      integer NOT NULL,
    epoch        integer NOT NULL DEFAULT 0,
    worker       text,
    file_sha256  text NOT NULL DEFAULT '',
    tokens       bigint NOT NULL DEFAULT 0
);
CREATE INDEX kept_job_answer ON kept_job (answer);

CREATE TABLE kept_journal (                      -- the events of its jobs, sealed; gone with the answer's end
    job      text NOT NULL REFERENCES kept_job (job) ON DELETE CASCADE,
    ordinal  integer NOT NULL,
    sealed   bytea NOT NULL,
    PRIMARY KEY (job, ordinal)
);
