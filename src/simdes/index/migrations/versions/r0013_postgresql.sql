CREATE TABLE statement_batch (
  id BIGSERIAL NOT NULL,
  slot BIGINT NOT NULL,
  root BYTEA NOT NULL CONSTRAINT ck_statement_batch_root CHECK (length(root) = 32),
  leaves BYTEA NOT NULL,
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_statement_batch PRIMARY KEY (id),
  CONSTRAINT uq_statement_batch_slot UNIQUE (slot),
  CONSTRAINT uq_statement_batch_root UNIQUE (root),
  CONSTRAINT ck_statement_batch_state CHECK (state IN ('built', 'inserted'))
);

CREATE INDEX ix_statement_batch_state ON statement_batch (state);

CREATE TABLE prescription (
  id BIGSERIAL NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_prescription_vault CHECK (length(vault) = 32),
  request TEXT NOT NULL,
  leaf BYTEA NOT NULL CONSTRAINT ck_prescription_leaf CHECK (length(leaf) = 32),
  content_wrapped BYTEA NOT NULL,
  state TEXT NOT NULL,
  batch BIGINT,
  place BIGINT,
  cancel TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_prescription PRIMARY KEY (id),
  CONSTRAINT uq_prescription_leaf UNIQUE (leaf),
  CONSTRAINT ck_prescription_state CHECK (state IN ('stated', 'built', 'issued', 'withdrawn')),
  CONSTRAINT ck_prescription_cancel CHECK (cancel IN ('no', 'wanted', 'done')),
  CONSTRAINT fk_prescription_batch FOREIGN KEY(batch) REFERENCES statement_batch (id)
);

CREATE INDEX ix_prescription_batch ON prescription (batch);

CREATE INDEX ix_prescription_cancel ON prescription (id) WHERE cancel = 'wanted';

CREATE INDEX ix_prescription_stated ON prescription (id) WHERE state = 'stated';

CREATE INDEX ix_prescription_vault_request ON prescription (vault, request);

CREATE TABLE chain_statement (
  forest BIGINT NOT NULL,
  place BIGINT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_statement_organisation CHECK (length(organisation) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_chain_statement_root CHECK (length(root) = 32),
  CONSTRAINT pk_chain_statement PRIMARY KEY (forest, place)
);

CREATE INDEX ix_chain_statement_root ON chain_statement (root);

CREATE TABLE chain_dispense (
  tag BYTEA NOT NULL CONSTRAINT ck_chain_dispense_tag CHECK (length(tag) = 32),
  part BIGINT NOT NULL,
  pharmacy BYTEA NOT NULL CONSTRAINT ck_chain_dispense_pharmacy CHECK (length(pharmacy) = 32),
  fill_day BIGINT NOT NULL,
  CONSTRAINT pk_chain_dispense PRIMARY KEY (tag, part)
);

CREATE TABLE dispensing (
  id BIGSERIAL NOT NULL,
  tag BYTEA NOT NULL CONSTRAINT ck_dispensing_tag CHECK (length(tag) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_dispensing_vault CHECK (length(vault) = 32),
  request TEXT NOT NULL,
  dispense TEXT NOT NULL,
  units_before BIGINT NOT NULL,
  units_after BIGINT NOT NULL,
  part_after BIGINT NOT NULL,
  content_wrapped BYTEA NOT NULL,
  account BYTEA NOT NULL CONSTRAINT ck_dispensing_account CHECK (length(account) = 32),
  state TEXT NOT NULL,
  until_ms BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_dispensing PRIMARY KEY (id),
  CONSTRAINT ck_dispensing_state CHECK (state IN ('begun', 'dispensed', 'refused', 'queued', 'conflict'))
);

CREATE INDEX ix_dispensing_open ON dispensing (id) WHERE state IN ('begun', 'queued');

CREATE INDEX ix_dispensing_tag ON dispensing (tag);

CREATE INDEX ix_dispensing_vault ON dispensing (vault);
