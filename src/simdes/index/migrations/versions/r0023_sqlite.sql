CREATE TABLE cost_batch (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  slot INTEGER NOT NULL,
  root BLOB NOT NULL CONSTRAINT ck_cost_batch_root CHECK (length(root) = 32),
  leaves BLOB NOT NULL,
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT uq_cost_batch_slot UNIQUE (slot),
  CONSTRAINT uq_cost_batch_root UNIQUE (root),
  CONSTRAINT ck_cost_batch_state CHECK (state IN ('built', 'inserted'))
)
 STRICT;

CREATE INDEX ix_cost_batch_state ON cost_batch (state);

CREATE TABLE cost (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  vault BLOB NOT NULL CONSTRAINT ck_cost_vault CHECK (length(vault) = 32),
  encounter TEXT NOT NULL,
  version INTEGER NOT NULL,
  leaf BLOB NOT NULL CONSTRAINT ck_cost_leaf CHECK (length(leaf) = 32),
  content_wrapped BLOB NOT NULL,
  state TEXT NOT NULL,
  batch INTEGER,
  place INTEGER,
  waits INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT uq_cost_leaf UNIQUE (leaf),
  CONSTRAINT uq_cost_vault_encounter_version UNIQUE (vault, encounter, version),
  CONSTRAINT ck_cost_state CHECK (state IN ('stated', 'built', 'issued')),
  CONSTRAINT fk_cost_batch FOREIGN KEY(batch) REFERENCES cost_batch (id)
)
 STRICT;

CREATE INDEX ix_cost_batch ON cost (batch);

CREATE INDEX ix_cost_stated ON cost (id) WHERE state = 'stated';

CREATE INDEX ix_cost_waits ON cost (id) WHERE state = 'issued' AND waits = 1;

CREATE TABLE claim_step (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  claim BLOB NOT NULL CONSTRAINT ck_claim_step_claim CHECK (length(claim) = 32),
  tag BLOB NOT NULL CONSTRAINT ck_claim_step_tag CHECK (length(tag) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_claim_step_vault CHECK (length(vault) = 32),
  resource TEXT NOT NULL,
  encounter TEXT NOT NULL,
  other BLOB NOT NULL CONSTRAINT ck_claim_step_other CHECK (length(other) = 32),
  verb TEXT NOT NULL,
  expects BLOB NOT NULL CONSTRAINT ck_claim_step_expects CHECK (length(expects) = 32),
  content_wrapped BLOB NOT NULL,
  account BLOB NOT NULL CONSTRAINT ck_claim_step_account CHECK (length(account) = 32),
  state TEXT NOT NULL,
  ended INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT ck_claim_step_verb CHECK (verb IN ('open', 'ask', 'adjudicate', 'settle', 'reverse', 'free')),
  CONSTRAINT ck_claim_step_state CHECK (state IN ('begun', 'done', 'refused'))
)
 STRICT;

CREATE INDEX ix_claim_step_begun ON claim_step (id) WHERE state = 'begun';

CREATE INDEX ix_claim_step_claim ON claim_step (claim);

CREATE INDEX ix_claim_step_running ON claim_step (id) WHERE verb = 'open' AND ended = 0;

CREATE INDEX ix_claim_step_tag ON claim_step (tag);

CREATE INDEX ix_claim_step_vault ON claim_step (vault);
