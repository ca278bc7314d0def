CREATE TABLE content (
  cid TEXT NOT NULL,
  kind TEXT NOT NULL,
  record_id BYTEA CONSTRAINT ck_content_record_id CHECK (length(record_id) = 32),
  state TEXT NOT NULL,
  plan TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  damaged BIGINT NOT NULL,
  CONSTRAINT pk_content PRIMARY KEY (cid),
  CONSTRAINT ck_content_kind CHECK (kind IN ('body', 'capsule', 'manifest', 'vault', 'letter', 'organisation')),
  CONSTRAINT ck_content_state CHECK (state IN ('kept', 'erasing', 'erased')),
  CONSTRAINT ck_content_damaged CHECK (damaged BETWEEN 0 AND 1)
);

CREATE INDEX ix_content_record_id ON content (record_id);

CREATE INDEX ix_content_state_next_ms ON content (state, next_ms);

CREATE INDEX ix_content_state_plan ON content (state, plan);

CREATE TABLE copy_receipt (
  digest BYTEA NOT NULL CONSTRAINT ck_copy_receipt_digest CHECK (length(digest) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_copy_receipt_organisation CHECK (length(organisation) = 32),
  token BYTEA NOT NULL,
  received_ms BIGINT NOT NULL,
  CONSTRAINT pk_copy_receipt PRIMARY KEY (digest)
);

CREATE TABLE content_copy (
  cid TEXT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_content_copy_organisation CHECK (length(organisation) = 32),
  state TEXT NOT NULL,
  assigned BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  receipt BYTEA CONSTRAINT ck_content_copy_receipt CHECK (length(receipt) = 32),
  CONSTRAINT pk_content_copy PRIMARY KEY (cid, organisation),
  CONSTRAINT ck_content_copy_state CHECK (state IN ('wanted', 'held', 'dropping', 'dropped')),
  CONSTRAINT ck_content_copy_assigned CHECK (assigned BETWEEN 0 AND 1),
  CONSTRAINT fk_content_copy_cid FOREIGN KEY(cid) REFERENCES content (cid),
  CONSTRAINT fk_content_copy_receipt FOREIGN KEY(receipt) REFERENCES copy_receipt (digest)
);

CREATE INDEX ix_content_copy_organisation_state_next_ms ON content_copy (organisation, state, next_ms);

CREATE INDEX ix_content_copy_receipt ON content_copy (receipt);

CREATE INDEX ix_content_copy_state_assigned ON content_copy (state, assigned);

CREATE TABLE kept_content (
  cid TEXT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_kept_content_organisation CHECK (length(organisation) = 32),
  bytes BIGINT NOT NULL,
  state TEXT NOT NULL,
  tries BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  CONSTRAINT pk_kept_content PRIMARY KEY (cid, organisation),
  CONSTRAINT ck_kept_content_state CHECK (state IN ('wanted', 'held', 'dropping', 'dropped'))
);

CREATE INDEX ix_kept_content_organisation_state_bytes ON kept_content (organisation, state, bytes);

CREATE INDEX ix_kept_content_state_next_ms ON kept_content (state, next_ms);

CREATE TABLE duty (
  name TEXT NOT NULL,
  holder TEXT,
  held_until_ms BIGINT NOT NULL,
  CONSTRAINT pk_duty PRIMARY KEY (name)
);

INSERT INTO content (cid, kind, record_id, state, plan, created_ms, next_ms, damaged)
  SELECT body_cid, 'body', record_id, 'kept', '', created_ms, created_ms, 0 FROM record WHERE true
  ON CONFLICT (cid) DO NOTHING;

INSERT INTO content (cid, kind, record_id, state, plan, created_ms, next_ms, damaged)
  SELECT capsule_cid, 'capsule', record_id, 'kept', '', created_ms, created_ms, 0 FROM record WHERE true
  ON CONFLICT (cid) DO NOTHING;

INSERT INTO content (cid, kind, record_id, state, plan, created_ms, next_ms, damaged)
  SELECT manifest_cid, 'manifest', NULL, 'kept', '', created_ms, created_ms, 0 FROM batch WHERE true
  ON CONFLICT (cid) DO NOTHING;

INSERT INTO content (cid, kind, record_id, state, plan, created_ms, next_ms, damaged)
  SELECT descriptor_cid, 'vault', NULL, 'kept', '', created_ms, created_ms, 0 FROM vault
   WHERE home = 1 AND descriptor_cid <> ''
  ON CONFLICT (cid) DO NOTHING;
