ALTER TABLE model ADD COLUMN reasoning_format text NOT NULL DEFAULT '';
