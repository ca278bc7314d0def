CREATE TABLE correction_sent (
  id TEXT NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_correction_sent_vault CHECK (length(vault) = 32),
  author BYTEA NOT NULL CONSTRAINT ck_correction_sent_author CHECK (length(author) = 32),
  about TEXT NOT NULL,
  words_wrapped BYTEA,
  asked_ms BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  settled_ms BIGINT,
  state TEXT NOT NULL,
  CONSTRAINT pk_correction_sent PRIMARY KEY (id),
  CONSTRAINT ck_correction_sent_state CHECK (state IN ('waiting', 'told', 'refused'))
);
CREATE INDEX ix_correction_sent_vault ON correction_sent (vault);
CREATE INDEX ix_correction_sent_waiting ON correction_sent (next_ms) WHERE state = 'waiting';
CREATE TABLE correction_heard (
  id TEXT NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_correction_heard_vault CHECK (length(vault) = 32),
  teller BYTEA NOT NULL CONSTRAINT ck_correction_heard_teller CHECK (length(teller) = 32),
  about TEXT NOT NULL,
  words_wrapped BYTEA,
  heard_ms BIGINT NOT NULL,
  answered_ms BIGINT,
  CONSTRAINT pk_correction_heard PRIMARY KEY (id)
);
CREATE INDEX ix_correction_heard_vault ON correction_heard (vault);
CREATE INDEX ix_correction_heard_waiting ON correction_heard (heard_ms) WHERE answered_ms IS NULL;
