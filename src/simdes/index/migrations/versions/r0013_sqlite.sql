CREATE TABLE statement_batch (
  id INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  root BLOB NOT NULL CONSTRAINT ck_statement_batch_root CHECK (length(root) = 32),
  leaves BLOB NOT NULL,
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_statement_batch PRIMARY KEY (id),
  CONSTRAINT uq_statement_batch_slot UNIQUE (slot),
  CONSTRAINT uq_statement_batch_root UNIQUE (root),
  CONSTRAINT ck_statement_batch_state CHECK (state IN ('built', 'inserted'))
)
 STRICT;

CREATE INDEX ix_statement_batch_state ON statement_batch (state);

CREATE TABLE prescription (
  id INTEGER NOT NULL,
  vault BLOB NOT NULL CONSTRAINT ck_prescription_vault CHECK (length(vault) = 32),
  request TEXT NOT NULL,
  leaf BLOB NOT NULL CONSTRAINT ck_prescription_leaf CHECK (length(leaf) = 32),
  content_wrapped BLOB NOT NULL,
  state TEXT NOT NULL,
  batch INTEGER,
  place INTEGER,
  cancel TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_prescription PRIMARY KEY (id),
  CONSTRAINT uq_prescription_leaf UNIQUE (leaf),
  CONSTRAINT ck_prescription_state CHECK (state IN ('stated', 'built', 'issued', 'withdrawn')),
  CONSTRAINT ck_prescription_cancel CHECK (cancel IN ('no', 'wanted', 'done')),
  CONSTRAINT fk_prescription_batch FOREIGN KEY(batch) REFERENCES statement_batch (id)
)
 STRICT;

CREATE INDEX ix_prescription_batch ON prescription (batch);

CREATE INDEX ix_prescription_cancel ON prescription (id) WHERE cancel = 'wanted';

CREATE INDEX ix_prescription_stated ON prescription (id) WHERE state = 'stated';

CREATE INDEX ix_prescription_vault_request ON prescription (vault, request);

CREATE TABLE chain_statement (
  forest INTEGER NOT NULL,
  place INTEGER NOT NULL,
  organisation BLOB NOT NULL CONSTRAINT ck_chain_statement_organisation CHECK (length(organisation) = 32),
  root BLOB NOT NULL CONSTRAINT ck_chain_statement_root CHECK (length(root) = 32),
  CONSTRAINT pk_chain_statement PRIMARY KEY (forest, place)
)
 STRICT;

CREATE INDEX ix_chain_statement_root ON chain_statement (root);

CREATE TABLE chain_dispense (
  tag BLOB NOT NULL CONSTRAINT ck_chain_dispense_tag CHECK (length(tag) = 32),
  part INTEGER NOT NULL,
  pharmacy BLOB NOT NULL CONSTRAINT ck_chain_dispense_pharmacy CHECK (length(pharmacy) = 32),
  fill_day INTEGER NOT NULL,
  CONSTRAINT pk_chain_dispense PRIMARY KEY (tag, part)
)
 STRICT;

CREATE TABLE dispensing (
  id INTEGER NOT NULL,
  tag BLOB NOT NULL CONSTRAINT ck_dispensing_tag CHECK (length(tag) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_dispensing_vault CHECK (length(vault) = 32),
  request TEXT NOT NULL,
  dispense TEXT NOT NULL,
  units_before INTEGER NOT NULL,
  units_after INTEGER NOT NULL,
  part_after INTEGER NOT NULL,
  content_wrapped BLOB NOT NULL,
  account BLOB NOT NULL CONSTRAINT ck_dispensing_account CHECK (length(account) = 32),
  state TEXT NOT NULL,
  until_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_dispensing PRIMARY KEY (id),
  CONSTRAINT ck_dispensing_state CHECK (state IN ('begun', 'dispensed', 'refused', 'queued', 'conflict'))
)
 STRICT;

CREATE INDEX ix_dispensing_open ON dispensing (id) WHERE state IN ('begun', 'queued');

CREATE INDEX ix_dispensing_tag ON dispensing (tag);

CREATE INDEX ix_dispensing_vault ON dispensing (vault);
