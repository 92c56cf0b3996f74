ALTER TABLE job
    ADD COLUMN tier         text NOT NULL DEFAULT '',
    ADD COLUMN degraded     boolean NOT NULL DEFAULT false,
    ADD COLUMN tier_reason  text NOT NULL DEFAULT '',          -- why this tier and model; never what was asked
    ADD COLUMN reason       text NOT NULL DEFAULT '',          -- why the last worker
    ADD COLUMN waited_s     double precision NOT NULL DEFAULT 0 CHECK (waited_s >= 0);

CREATE TABLE job_takeover (
    job      text NOT NULL REFERENCES job (id),
    ordinal  integer NOT NULL CHECK (ordinal >= 0),
    choice   integer NOT NULL CHECK (choice >= 0),
    worker   text NOT NULL,                                    -- who lost it
    token    bigint NOT NULL CHECK (token >= 0),               -- after so many tokens of the choice
    why      text NOT NULL,
    after_s  double precision NOT NULL,
    PRIMARY KEY (job, ordinal)
);

CREATE TABLE worker_deficit (
    worker       text NOT NULL,                                -- no reference: a worker may serve before its own row is written
    file_sha256  text NOT NULL,
    deficit_s    double precision NOT NULL,                    -- of the worker's own capacity
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (worker, file_sha256)
);

CREATE TABLE account_counter (
    account     text PRIMARY KEY REFERENCES account (id),
    counter     double precision NOT NULL,                     -- virtual tokens by share (VTC)
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE account_spent (
    account  text NOT NULL REFERENCES account (id),
    day      date NOT NULL,
    cost     double precision NOT NULL,                        -- virtual tokens: uncached input + 2 x output
    PRIMARY KEY (account, day)
);
