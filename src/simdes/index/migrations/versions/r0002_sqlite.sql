DROP INDEX ix_quarantine_state;

ALTER TABLE quarantine RENAME TO quarantine_0001;

CREATE TABLE quarantine (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL CONSTRAINT ck_quarantine_digest CHECK (length(digest) = 32),
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  event TEXT NOT NULL,
  sender TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  advice TEXT NOT NULL,
  content_wrapped BLOB,
  received_ms INTEGER NOT NULL,
  tried_ms INTEGER,
  settled_ms INTEGER,
  state TEXT NOT NULL,
  CONSTRAINT uq_quarantine_digest UNIQUE (digest),
  CONSTRAINT ck_quarantine_state CHECK (state IN ('open', 'replayed', 'dismissed')),
  CONSTRAINT ck_quarantine_settled CHECK ((state = 'open') = (settled_ms IS NULL)),
  CONSTRAINT ck_quarantine_content CHECK (state <> 'open' OR content_wrapped IS NOT NULL)
)
 STRICT;

INSERT INTO quarantine (id, digest, name, position, kind, event, sender, code, reason, advice,
  content_wrapped, received_ms, settled_ms, state)
SELECT id, digest, name, 0, '', '', '',
  CASE WHEN instr(reason, ': ') > 0 THEN substr(reason, 1, instr(reason, ': ') - 1)
    ELSE 'unknown' END,
  CASE WHEN instr(reason, ': ') > 0 THEN substr(reason, instr(reason, ': ') + 2) ELSE reason END,
  advice, content_wrapped, received_ms,
  CASE state WHEN 'open' THEN NULL ELSE received_ms END,
  CASE state WHEN 'discarded' THEN 'dismissed' ELSE state END
FROM quarantine_0001;

DROP TABLE quarantine_0001;

CREATE INDEX ix_quarantine_state_received_ms_position_id ON quarantine (state, received_ms, position, id);

CREATE TABLE quarantine_action (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  quarantine_id INTEGER NOT NULL,
  action TEXT NOT NULL,
  account BLOB CONSTRAINT ck_quarantine_action_account CHECK (length(account) = 32),
  why_wrapped BLOB,
  digest BLOB CONSTRAINT ck_quarantine_action_digest CHECK (length(digest) = 32),
  content_wrapped BLOB,
  source_id INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT ck_quarantine_action_action CHECK (action IN ('corrected', 'refused', 'replayed', 'dismissed', 'reopened', 'expired')),
  CONSTRAINT ck_quarantine_action_corrected CHECK ((action = 'corrected') = (digest IS NOT NULL)),
  CONSTRAINT ck_quarantine_action_content CHECK (content_wrapped IS NULL OR digest IS NOT NULL),
  CONSTRAINT ck_quarantine_action_source CHECK (source_id IS NULL OR action = 'replayed'),
  CONSTRAINT fk_quarantine_action_quarantine_id FOREIGN KEY(quarantine_id) REFERENCES quarantine (id),
  CONSTRAINT fk_quarantine_action_source_id FOREIGN KEY(source_id) REFERENCES source (id)
)
 STRICT;

CREATE INDEX ix_quarantine_action_quarantine_id ON quarantine_action (quarantine_id);

CREATE INDEX ix_quarantine_action_source_id ON quarantine_action (source_id) WHERE source_id IS NOT NULL;
