CREATE TABLE bulk_job (
  id BLOB NOT NULL CONSTRAINT ck_bulk_job_id CHECK (length(id) = 32),
  kind TEXT NOT NULL,
  account BLOB NOT NULL CONSTRAINT ck_bulk_job_account CHECK (length(account) = 32),
  client TEXT NOT NULL,
  asked_wrapped BLOB NOT NULL,
  mark INTEGER NOT NULL,
  begun_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  failure TEXT NOT NULL,
  position TEXT NOT NULL,
  step INTEGER NOT NULL,
  holder TEXT,
  held_until_ms INTEGER NOT NULL,
  polled_ms INTEGER NOT NULL,
  CONSTRAINT pk_bulk_job PRIMARY KEY (id),
  CONSTRAINT ck_bulk_job_kind CHECK (kind IN ('export', 'import')),
  CONSTRAINT ck_bulk_job_state CHECK (state IN ('running', 'done', 'failed'))
)
 STRICT;

CREATE INDEX ix_bulk_job_expires_ms ON bulk_job (expires_ms);

CREATE INDEX ix_bulk_job_state_held_until_ms ON bulk_job (state, held_until_ms);

CREATE TABLE bulk_part (
  job BLOB NOT NULL CONSTRAINT ck_bulk_part_job CHECK (length(job) = 32),
  file INTEGER NOT NULL,
  part INTEGER NOT NULL,
  kind TEXT NOT NULL,
  type TEXT NOT NULL,
  count INTEGER NOT NULL,
  content_wrapped BLOB NOT NULL,
  CONSTRAINT pk_bulk_part PRIMARY KEY (job, file, part),
  CONSTRAINT ck_bulk_part_kind CHECK (kind IN ('output', 'deleted', 'error', 'input')),
  CONSTRAINT fk_bulk_part_job FOREIGN KEY(job) REFERENCES bulk_job (id) ON DELETE CASCADE
)
 STRICT;
