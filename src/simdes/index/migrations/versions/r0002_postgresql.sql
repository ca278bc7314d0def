DROP INDEX ix_quarantine_state;

ALTER TABLE quarantine
  ADD COLUMN position BIGINT,
  ADD COLUMN kind TEXT,
  ADD COLUMN event TEXT,
  ADD COLUMN sender TEXT,
  ADD COLUMN code TEXT,
  ADD COLUMN tried_ms BIGINT,
  ADD COLUMN settled_ms BIGINT,
  ALTER COLUMN content_wrapped DROP NOT NULL,
  DROP CONSTRAINT ck_quarantine_state;

UPDATE quarantine SET position = 0, kind = '', event = '', sender = '',
  code = CASE WHEN strpos(reason, ': ') > 0 THEN substr(reason, 1, strpos(reason, ': ') - 1)
    ELSE 'unknown' END,
  reason = CASE WHEN strpos(reason, ': ') > 0 THEN substr(reason, strpos(reason, ': ') + 2)
    ELSE reason END,
  settled_ms = CASE state WHEN 'open' THEN NULL ELSE received_ms END,
  state = CASE state WHEN 'discarded' THEN 'dismissed' ELSE state END;

ALTER TABLE quarantine
  ALTER COLUMN position SET NOT NULL,
  ALTER COLUMN kind SET NOT NULL,
  ALTER COLUMN event SET NOT NULL,
  ALTER COLUMN sender SET NOT NULL,
  ALTER COLUMN code SET NOT NULL,
  ADD CONSTRAINT ck_quarantine_state CHECK (state IN ('open', 'replayed', 'dismissed')),
  ADD CONSTRAINT ck_quarantine_settled CHECK ((state = 'open') = (settled_ms IS NULL)),
  ADD CONSTRAINT ck_quarantine_content CHECK (state <> 'open' OR content_wrapped IS NOT NULL);

CREATE INDEX ix_quarantine_state_received_ms_position_id ON quarantine (state, received_ms, position, id);

CREATE TABLE quarantine_action (
  id BIGSERIAL NOT NULL,
  quarantine_id BIGINT NOT NULL,
  action TEXT NOT NULL,
  account BYTEA CONSTRAINT ck_quarantine_action_account CHECK (length(account) = 32),
  why_wrapped BYTEA,
  digest BYTEA CONSTRAINT ck_quarantine_action_digest CHECK (length(digest) = 32),
  content_wrapped BYTEA,
  source_id BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_quarantine_action PRIMARY KEY (id),
  CONSTRAINT ck_quarantine_action_action CHECK (action IN ('corrected', 'refused', 'replayed', 'dismissed', 'reopened', 'expired')),
  CONSTRAINT ck_quarantine_action_corrected CHECK ((action = 'corrected') = (digest IS NOT NULL)),
  CONSTRAINT ck_quarantine_action_content CHECK (content_wrapped IS NULL OR digest IS NOT NULL),
  CONSTRAINT ck_quarantine_action_source CHECK (source_id IS NULL OR action = 'replayed'),
  CONSTRAINT fk_quarantine_action_quarantine_id FOREIGN KEY(quarantine_id) REFERENCES quarantine (id),
  CONSTRAINT fk_quarantine_action_source_id FOREIGN KEY(source_id) REFERENCES source (id)
);

CREATE INDEX ix_quarantine_action_quarantine_id ON quarantine_action (quarantine_id);

CREATE INDEX ix_quarantine_action_source_id ON quarantine_action (source_id) WHERE source_id IS NOT NULL;
