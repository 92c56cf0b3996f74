CREATE TABLE worker_owner (
    worker      text PRIMARY KEY,                -- no reference: a worker may be claimed before its own row is written
    account     text NOT NULL REFERENCES account (id),
    claimed_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX worker_owner_account ON worker_owner (account);
