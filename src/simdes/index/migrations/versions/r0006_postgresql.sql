ALTER TABLE resource
  ADD COLUMN deleted BIGINT DEFAULT 0 NOT NULL
    CONSTRAINT ck_resource_deleted CHECK (deleted BETWEEN 0 AND 1),
  ADD COLUMN account BYTEA CONSTRAINT ck_resource_account CHECK (length(account) = 32);

CREATE TABLE entry (
  id BIGSERIAL NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT COLLATE "C" NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_entry_vault CHECK (length(vault) = 32),
  category BIGINT NOT NULL,
  labels BIGINT NOT NULL,
  version BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  handle BYTEA NOT NULL CONSTRAINT ck_entry_handle CHECK (length(handle) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_entry_organisation CHECK (length(organisation) = 32),
  resource_id BIGINT,
  record_id BYTEA CONSTRAINT ck_entry_record_id CHECK (length(record_id) = 32),
  item BIGINT,
  CONSTRAINT pk_entry PRIMARY KEY (id),
  CONSTRAINT ck_entry_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_entry_labels CHECK (labels >= 0),
  CONSTRAINT fk_entry_vault_record_id_handle FOREIGN KEY(vault, record_id, handle) REFERENCES remote_copy (vault, record_id, handle) ON DELETE CASCADE,
  CONSTRAINT uq_entry_type_logical_id_vault_handle_organisation UNIQUE (type, logical_id, vault, handle, organisation),
  CONSTRAINT ck_entry_deleted CHECK (deleted BETWEEN 0 AND 1),
  CONSTRAINT ck_entry_content CHECK ((resource_id IS NULL) = (record_id IS NOT NULL)),
  CONSTRAINT ck_entry_item CHECK ((record_id IS NULL) = (item IS NULL)),
  CONSTRAINT fk_entry_vault FOREIGN KEY(vault) REFERENCES vault (tag),
  CONSTRAINT fk_entry_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id)
);

CREATE INDEX ix_entry_copy ON entry (vault, record_id, handle) WHERE record_id IS NOT NULL;

CREATE INDEX ix_entry_resource_id ON entry (resource_id) WHERE resource_id IS NOT NULL;

CREATE INDEX ix_entry_type_id ON entry (type, id);

CREATE INDEX ix_entry_type_updated_ms_id ON entry (type, updated_ms, id);

CREATE INDEX ix_entry_vault_type ON entry (vault, type);

CREATE TABLE unindexed (
  resource_id BIGINT NOT NULL,
  CONSTRAINT pk_unindexed PRIMARY KEY (resource_id),
  CONSTRAINT fk_unindexed_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id)
);

CREATE TABLE search_number (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  low DOUBLE PRECISION NOT NULL,
  high DOUBLE PRECISION NOT NULL,
  CONSTRAINT pk_search_number PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_number_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_number_slot_value_entry ON search_number (slot, value, entry);

CREATE TABLE search_quantity (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  low DOUBLE PRECISION NOT NULL,
  high DOUBLE PRECISION NOT NULL,
  system BIGINT NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  unit TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_search_quantity PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_quantity_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_quantity_slot_value_entry ON search_quantity (slot, value, entry);

CREATE TABLE search_reference (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  type TEXT NOT NULL,
  target TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  subject BIGINT NOT NULL,
  CONSTRAINT pk_search_reference PRIMARY KEY (entry, slot, n),
  CONSTRAINT ck_search_reference_subject CHECK (subject BETWEEN 0 AND 1),
  CONSTRAINT fk_search_reference_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_reference_slot_target_entry_type ON search_reference (slot, target, entry, type);

CREATE TABLE search_span (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  low_ms BIGINT NOT NULL,
  high_ms BIGINT NOT NULL,
  CONSTRAINT pk_search_span PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_span_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_span_slot_low_ms_entry_high_ms ON search_span (slot, low_ms, entry, high_ms);

CREATE INDEX ix_search_span_wide ON search_span (slot, high_ms, entry) WHERE high_ms > low_ms + 31622400000;

CREATE TABLE search_text (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  head TEXT COLLATE "C" NOT NULL,
  folded TEXT COLLATE "C",
  exact TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_search_text PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_text_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_text_slot_head_entry ON search_text (slot, head, entry);

CREATE TABLE search_token (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  system BIGINT NOT NULL,
  code TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_search_token PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_token_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_token_slot_code_entry_system ON search_token (slot, code, entry, system);

CREATE TABLE search_uri (
  entry BIGINT NOT NULL,
  slot BIGINT NOT NULL,
  n BIGINT NOT NULL,
  part BIGINT NOT NULL,
  text TEXT COLLATE "C" NOT NULL,
  CONSTRAINT pk_search_uri PRIMARY KEY (entry, slot, n),
  CONSTRAINT fk_search_uri_entry FOREIGN KEY(entry) REFERENCES entry (id) ON DELETE CASCADE
);

CREATE INDEX ix_search_uri_slot_text_entry ON search_uri (slot, text, entry);

INSERT INTO unindexed (resource_id)
SELECT r.id FROM resource AS r
WHERE NOT EXISTS (SELECT 1 FROM resource AS newer WHERE newer.type = r.type
    AND newer.logical_id = r.logical_id AND newer.vault = r.vault AND newer.version > r.version)
  AND r.vault NOT IN (SELECT prior FROM vault_merge WHERE state = 'moved');
