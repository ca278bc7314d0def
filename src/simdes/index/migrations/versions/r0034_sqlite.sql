CREATE TABLE correction_sent (
  id TEXT NOT NULL,
  vault BLOB NOT NULL CONSTRAINT ck_correction_sent_vault CHECK (length(vault) = 32),
  author BLOB NOT NULL CONSTRAINT ck_correction_sent_author CHECK (length(author) = 32),
  about TEXT NOT NULL,
  words_wrapped BLOB,
  asked_ms INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  settled_ms INTEGER,
  state TEXT NOT NULL,
  CONSTRAINT pk_correction_sent PRIMARY KEY (id),
  CONSTRAINT ck_correction_sent_state CHECK (state IN ('waiting', 'told', 'refused'))
)
 STRICT;
CREATE INDEX ix_correction_sent_vault ON correction_sent (vault);
CREATE INDEX ix_correction_sent_waiting ON correction_sent (next_ms) WHERE state = 'waiting';
CREATE TABLE correction_heard (
  id TEXT NOT NULL,
  vault BLOB NOT NULL CONSTRAINT ck_correction_heard_vault CHECK (length(vault) = 32),
  teller BLOB NOT NULL CONSTRAINT ck_correction_heard_teller CHECK (length(teller) = 32),
  about TEXT NOT NULL,
  words_wrapped BLOB,
  heard_ms INTEGER NOT NULL,
  answered_ms INTEGER,
  CONSTRAINT pk_correction_heard PRIMARY KEY (id)
)
 STRICT;
CREATE INDEX ix_correction_heard_vault ON correction_heard (vault);
CREATE INDEX ix_correction_heard_waiting ON correction_heard (heard_ms) WHERE answered_ms IS NULL;
