CREATE TABLE audit_batch (
  seq BIGINT NOT NULL,
  previous_root BYTEA NOT NULL CONSTRAINT ck_audit_batch_previous_root CHECK (length(previous_root) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_audit_batch_root CHECK (length(root) = 32),
  count BIGINT NOT NULL,
  first_seq BIGINT NOT NULL,
  last_seq BIGINT NOT NULL,
  filler BYTEA CONSTRAINT ck_audit_batch_filler CHECK (length(filler) = 32),
  state TEXT NOT NULL,
  transaction_hash BYTEA CONSTRAINT ck_audit_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  block_number BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_audit_batch PRIMARY KEY (seq),
  CONSTRAINT ck_audit_batch_emptiness CHECK ((filler IS NULL) = (last_seq >= first_seq)),
  CONSTRAINT ck_audit_batch_state CHECK (state IN ('built', 'sent', 'anchored'))
);

CREATE TABLE batch (
  batch_id BYTEA NOT NULL CONSTRAINT ck_batch_batch_id CHECK (length(batch_id) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_batch_root CHECK (length(root) = 32),
  count BIGINT NOT NULL,
  manifest_cid TEXT NOT NULL,
  state TEXT NOT NULL,
  transaction_hash BYTEA CONSTRAINT ck_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  block_number BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_batch PRIMARY KEY (batch_id),
  CONSTRAINT ck_batch_count CHECK (count > 0),
  CONSTRAINT ck_batch_state CHECK (state IN ('built', 'sent', 'anchored'))
);

CREATE INDEX ix_batch_unfinished ON batch (created_ms) WHERE state <> 'anchored';

CREATE TABLE chain_account (
  id BYTEA NOT NULL CONSTRAINT ck_chain_account_id CHECK (length(id) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_account_organisation CHECK (length(organisation) = 32),
  role BIGINT NOT NULL,
  state BIGINT NOT NULL,
  address BYTEA NOT NULL CONSTRAINT ck_chain_account_address CHECK (length(address) = 20),
  frozen BIGINT NOT NULL,
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_chain_account PRIMARY KEY (id),
  CONSTRAINT ck_chain_account_frozen CHECK (frozen BETWEEN 0 AND 1)
);

CREATE INDEX ix_chain_account_address ON chain_account (address);

CREATE INDEX ix_chain_account_organisation ON chain_account (organisation);

CREATE TABLE chain_audit_root (
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_audit_root_organisation CHECK (length(organisation) = 32),
  seq BIGINT NOT NULL,
  previous_root BYTEA NOT NULL CONSTRAINT ck_chain_audit_root_previous_root CHECK (length(previous_root) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_chain_audit_root_root CHECK (length(root) = 32),
  count BIGINT NOT NULL,
  block_number BIGINT NOT NULL,
  transaction_hash BYTEA NOT NULL CONSTRAINT ck_chain_audit_root_transaction_hash CHECK (length(transaction_hash) = 32),
  CONSTRAINT pk_chain_audit_root PRIMARY KEY (organisation, seq)
);

CREATE TABLE chain_batch (
  batch_id BYTEA NOT NULL CONSTRAINT ck_chain_batch_batch_id CHECK (length(batch_id) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_batch_organisation CHECK (length(organisation) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_chain_batch_root CHECK (length(root) = 32),
  count BIGINT NOT NULL,
  manifest BYTEA NOT NULL,
  block_number BIGINT NOT NULL,
  transaction_hash BYTEA NOT NULL CONSTRAINT ck_chain_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  CONSTRAINT pk_chain_batch PRIMARY KEY (batch_id)
);

CREATE INDEX ix_chain_batch_block_number ON chain_batch (block_number);

CREATE INDEX ix_chain_batch_organisation ON chain_batch (organisation);

CREATE TABLE chain_consent (
  vault BYTEA NOT NULL CONSTRAINT ck_chain_consent_vault CHECK (length(vault) = 32),
  handle BYTEA NOT NULL CONSTRAINT ck_chain_consent_handle CHECK (length(handle) = 32),
  state BIGINT NOT NULL,
  emergency BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  commitment BYTEA CONSTRAINT ck_chain_consent_commitment CHECK (length(commitment) = 32),
  pointer BYTEA CONSTRAINT ck_chain_consent_pointer CHECK (length(pointer) = 32),
  account BYTEA CONSTRAINT ck_chain_consent_account CHECK (length(account) = 32),
  organisation BYTEA CONSTRAINT ck_chain_consent_organisation CHECK (length(organisation) = 32),
  reason BYTEA CONSTRAINT ck_chain_consent_reason CHECK (length(reason) = 32),
  opened_seconds BIGINT,
  until_seconds BIGINT,
  review_due_seconds BIGINT,
  outcome BIGINT NOT NULL,
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_chain_consent PRIMARY KEY (vault, handle),
  CONSTRAINT ck_chain_consent_state CHECK (state BETWEEN 1 AND 3),
  CONSTRAINT ck_chain_consent_emergency CHECK (emergency BETWEEN 0 AND 1),
  CONSTRAINT ck_chain_consent_outcome CHECK (outcome BETWEEN 0 AND 2)
);

CREATE INDEX ix_chain_consent_handle ON chain_consent (handle);

CREATE INDEX ix_chain_consent_organisation ON chain_consent (organisation);

CREATE TABLE chain_leaf (
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_leaf_organisation CHECK (length(organisation) = 32),
  leaf BYTEA NOT NULL CONSTRAINT ck_chain_leaf_leaf CHECK (length(leaf) = 32),
  status BIGINT NOT NULL,
  successor BYTEA CONSTRAINT ck_chain_leaf_successor CHECK (length(successor) = 32),
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_chain_leaf PRIMARY KEY (organisation, leaf),
  CONSTRAINT ck_chain_leaf_status CHECK (status BETWEEN 1 AND 2)
);

CREATE INDEX ix_chain_leaf_leaf ON chain_leaf (leaf);

CREATE TABLE chain_organisation (
  id BYTEA NOT NULL CONSTRAINT ck_chain_organisation_id CHECK (length(id) = 32),
  kind BIGINT NOT NULL,
  state BIGINT NOT NULL,
  descriptor BYTEA NOT NULL CONSTRAINT ck_chain_organisation_descriptor CHECK (length(descriptor) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_chain_organisation_account CHECK (length(account) = 32),
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_chain_organisation PRIMARY KEY (id)
);

CREATE TABLE chain_vault (
  tag BYTEA NOT NULL CONSTRAINT ck_chain_vault_tag CHECK (length(tag) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_chain_vault_organisation CHECK (length(organisation) = 32),
  descriptor BYTEA NOT NULL CONSTRAINT ck_chain_vault_descriptor CHECK (length(descriptor) = 32),
  m BIGINT NOT NULL,
  n BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  control BYTEA CONSTRAINT ck_chain_vault_control CHECK (length(control) = 32),
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_chain_vault PRIMARY KEY (tag)
);

CREATE INDEX ix_chain_vault_control ON chain_vault (control);

CREATE INDEX ix_chain_vault_organisation ON chain_vault (organisation);

CREATE TABLE checkpoint (
  name TEXT NOT NULL,
  block_number BIGINT NOT NULL,
  block_hash BYTEA NOT NULL CONSTRAINT ck_checkpoint_block_hash CHECK (length(block_hash) = 32),
  CONSTRAINT pk_checkpoint PRIMARY KEY (name)
);

CREATE TABLE custody_key (
  public_digest BYTEA NOT NULL CONSTRAINT ck_custody_key_public_digest CHECK (length(public_digest) = 32),
  public BYTEA NOT NULL,
  private_wrapped BYTEA,
  vault BYTEA CONSTRAINT ck_custody_key_vault CHECK (length(vault) = 32),
  epoch BIGINT,
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_custody_key PRIMARY KEY (public_digest),
  CONSTRAINT uq_custody_key_vault_epoch UNIQUE (vault, epoch),
  CONSTRAINT ck_custody_key_state CHECK (state IN ('pool', 'bound', 'destroyed')),
  CONSTRAINT ck_custody_key_private CHECK ((state = 'destroyed') = (private_wrapped IS NULL)),
  CONSTRAINT ck_custody_key_binding CHECK ((vault IS NULL) = (epoch IS NULL))
);

CREATE INDEX ix_custody_key_pool ON custody_key (created_ms) WHERE state = 'pool';

CREATE TABLE ledger_transaction (
  hash BYTEA NOT NULL CONSTRAINT ck_ledger_transaction_hash CHECK (length(hash) = 32),
  lane TEXT NOT NULL,
  nonce BIGINT NOT NULL,
  raw BYTEA NOT NULL,
  label TEXT NOT NULL,
  state TEXT NOT NULL,
  block_number BIGINT,
  CONSTRAINT pk_ledger_transaction PRIMARY KEY (hash),
  CONSTRAINT ck_ledger_transaction_state CHECK (state IN ('sent', 'succeeded', 'reverted', 'refused'))
);

CREATE INDEX ix_ledger_transaction_unsettled ON ledger_transaction (lane, nonce) WHERE state = 'sent';

CREATE TABLE manifest_entry (
  batch_id BYTEA NOT NULL CONSTRAINT ck_manifest_entry_batch_id CHECK (length(batch_id) = 32),
  record_id BYTEA NOT NULL CONSTRAINT ck_manifest_entry_record_id CHECK (length(record_id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_manifest_entry_vault CHECK (length(vault) = 32),
  category BIGINT NOT NULL,
  labels BIGINT NOT NULL,
  types TEXT NOT NULL,
  body_cid TEXT NOT NULL,
  body_digest BYTEA NOT NULL CONSTRAINT ck_manifest_entry_body_digest CHECK (length(body_digest) = 32),
  capsule_cid TEXT NOT NULL,
  indexes TEXT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_manifest_entry_organisation CHECK (length(organisation) = 32),
  author BYTEA NOT NULL CONSTRAINT ck_manifest_entry_author CHECK (length(author) = 20),
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_manifest_entry PRIMARY KEY (batch_id, record_id),
  CONSTRAINT ck_manifest_entry_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_manifest_entry_labels CHECK (labels >= 0)
);

CREATE INDEX ix_manifest_entry_record_id ON manifest_entry (record_id);

CREATE INDEX ix_manifest_entry_vault_category ON manifest_entry (vault, category);

CREATE TABLE quarantine (
  id BIGSERIAL NOT NULL,
  digest BYTEA NOT NULL CONSTRAINT ck_quarantine_digest CHECK (length(digest) = 32),
  name TEXT NOT NULL,
  reason TEXT NOT NULL,
  advice TEXT NOT NULL,
  content_wrapped BYTEA NOT NULL,
  received_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT pk_quarantine PRIMARY KEY (id),
  CONSTRAINT uq_quarantine_digest UNIQUE (digest),
  CONSTRAINT ck_quarantine_state CHECK (state IN ('open', 'replayed', 'discarded'))
);

CREATE INDEX ix_quarantine_state ON quarantine (state);

CREATE TABLE refusal_counter (
  fold BYTEA NOT NULL CONSTRAINT ck_refusal_counter_fold CHECK (length(fold) = 32),
  first_ms BIGINT NOT NULL,
  count BIGINT NOT NULL,
  CONSTRAINT pk_refusal_counter PRIMARY KEY (fold),
  CONSTRAINT ck_refusal_counter_count CHECK (count > 0)
);

CREATE INDEX ix_refusal_counter_first_ms ON refusal_counter (first_ms);

CREATE TABLE release_nonce (
  nonce BYTEA NOT NULL CONSTRAINT ck_release_nonce_nonce CHECK (length(nonce) = 32),
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_release_nonce PRIMARY KEY (nonce)
);

CREATE INDEX ix_release_nonce_expires_ms ON release_nonce (expires_ms);

CREATE TABLE session (
  id BYTEA NOT NULL CONSTRAINT ck_session_id CHECK (length(id) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_session_account CHECK (length(account) = 32),
  key_wrapped BYTEA NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_session PRIMARY KEY (id)
);

CREATE INDEX ix_session_account ON session (account);

CREATE INDEX ix_session_expires_ms ON session (expires_ms);

CREATE TABLE terms (
  vault BYTEA NOT NULL CONSTRAINT ck_terms_vault CHECK (length(vault) = 32),
  handle BYTEA NOT NULL CONSTRAINT ck_terms_handle CHECK (length(handle) = 32),
  terms BYTEA NOT NULL,
  salt BYTEA NOT NULL CONSTRAINT ck_terms_salt CHECK (length(salt) = 32),
  block_number BIGINT NOT NULL,
  CONSTRAINT pk_terms PRIMARY KEY (vault, handle)
);

CREATE INDEX ix_terms_handle ON terms (handle);

CREATE TABLE vault (
  tag BYTEA NOT NULL CONSTRAINT ck_vault_tag CHECK (length(tag) = 32),
  m BIGINT NOT NULL,
  n BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  descriptor_cid TEXT NOT NULL,
  control BYTEA CONSTRAINT ck_vault_control CHECK (length(control) = 32),
  home BIGINT NOT NULL,
  key_wrapped BYTEA,
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_vault PRIMARY KEY (tag),
  CONSTRAINT ck_vault_m CHECK (m BETWEEN 1 AND n),
  CONSTRAINT ck_vault_home CHECK (home BETWEEN 0 AND 1),
  CONSTRAINT ck_vault_state CHECK (state IN ('opening', 'open', 'erased'))
);

CREATE INDEX ix_vault_control ON vault (control);

CREATE TABLE audit_entry (
  seq BIGINT NOT NULL,
  previous BYTEA NOT NULL CONSTRAINT ck_audit_entry_previous CHECK (length(previous) = 32),
  digest BYTEA NOT NULL CONSTRAINT ck_audit_entry_digest CHECK (length(digest) = 32),
  entry BYTEA NOT NULL,
  salt BYTEA NOT NULL CONSTRAINT ck_audit_entry_salt CHECK (length(salt) = 32),
  leaf BYTEA NOT NULL CONSTRAINT ck_audit_entry_leaf CHECK (length(leaf) = 32),
  vault BYTEA CONSTRAINT ck_audit_entry_vault CHECK (length(vault) = 32),
  batch_seq BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_audit_entry PRIMARY KEY (seq),
  CONSTRAINT uq_audit_entry_digest UNIQUE (digest),
  CONSTRAINT fk_audit_entry_batch_seq FOREIGN KEY(batch_seq) REFERENCES audit_batch (seq)
);

CREATE INDEX ix_audit_entry_batch_seq ON audit_entry (batch_seq);

CREATE INDEX ix_audit_entry_created_ms ON audit_entry (created_ms);

CREATE INDEX ix_audit_entry_vault_seq ON audit_entry (vault, seq);

CREATE TABLE identifier (
  system TEXT NOT NULL,
  value TEXT NOT NULL,
  tag BYTEA NOT NULL CONSTRAINT ck_identifier_tag CHECK (length(tag) = 32),
  CONSTRAINT pk_identifier PRIMARY KEY (system, value),
  CONSTRAINT fk_identifier_tag FOREIGN KEY(tag) REFERENCES vault (tag)
);

CREATE INDEX ix_identifier_tag ON identifier (tag);

CREATE TABLE record (
  record_id BYTEA NOT NULL CONSTRAINT ck_record_record_id CHECK (length(record_id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_record_vault CHECK (length(vault) = 32),
  category BIGINT NOT NULL,
  labels BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  body_cid TEXT NOT NULL,
  body_digest BYTEA NOT NULL CONSTRAINT ck_record_body_digest CHECK (length(body_digest) = 32),
  capsule_cid TEXT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_record_organisation CHECK (length(organisation) = 32),
  author BYTEA NOT NULL CONSTRAINT ck_record_author CHECK (length(author) = 20),
  batch_id BYTEA CONSTRAINT ck_record_batch_id CHECK (length(batch_id) = 32),
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_record PRIMARY KEY (record_id),
  CONSTRAINT ck_record_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_record_labels CHECK (labels >= 0),
  CONSTRAINT fk_record_vault FOREIGN KEY(vault) REFERENCES vault (tag),
  CONSTRAINT fk_record_batch_id FOREIGN KEY(batch_id) REFERENCES batch (batch_id)
);

CREATE INDEX ix_record_batch_id ON record (batch_id);

CREATE INDEX ix_record_unbatched ON record (created_ms) WHERE batch_id IS NULL;

CREATE INDEX ix_record_vault ON record (vault);

CREATE TABLE remote_copy (
  record_id BYTEA NOT NULL CONSTRAINT ck_remote_copy_record_id CHECK (length(record_id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_remote_copy_vault CHECK (length(vault) = 32),
  handle BYTEA NOT NULL CONSTRAINT ck_remote_copy_handle CHECK (length(handle) = 32),
  content_wrapped BYTEA NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_remote_copy PRIMARY KEY (vault, record_id, handle),
  CONSTRAINT fk_remote_copy_vault FOREIGN KEY(vault) REFERENCES vault (tag)
);

CREATE INDEX ix_remote_copy_expires_ms ON remote_copy (expires_ms);

CREATE INDEX ix_remote_copy_vault_handle ON remote_copy (vault, handle);

CREATE TABLE source (
  id BIGSERIAL NOT NULL,
  digest BYTEA NOT NULL CONSTRAINT ck_source_digest CHECK (length(digest) = 32),
  kind TEXT NOT NULL,
  content_wrapped BYTEA NOT NULL,
  vault BYTEA CONSTRAINT ck_source_vault CHECK (length(vault) = 32),
  received_ms BIGINT NOT NULL,
  resources BIGINT NOT NULL,
  CONSTRAINT pk_source PRIMARY KEY (id),
  CONSTRAINT uq_source_digest UNIQUE (digest),
  CONSTRAINT fk_source_vault FOREIGN KEY(vault) REFERENCES vault (tag)
);

CREATE INDEX ix_source_vault ON source (vault);

CREATE TABLE resource (
  id BIGSERIAL NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_resource_vault CHECK (length(vault) = 32),
  category BIGINT NOT NULL,
  labels BIGINT NOT NULL,
  content_wrapped BYTEA NOT NULL,
  digest BYTEA NOT NULL CONSTRAINT ck_resource_digest CHECK (length(digest) = 32),
  salt BYTEA NOT NULL CONSTRAINT ck_resource_salt CHECK (length(salt) = 32),
  state TEXT NOT NULL,
  record_id BYTEA CONSTRAINT ck_resource_record_id CHECK (length(record_id) = 32),
  leaf BYTEA CONSTRAINT ck_resource_leaf CHECK (length(leaf) = 32),
  source_id BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_resource PRIMARY KEY (id),
  CONSTRAINT ck_resource_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_resource_labels CHECK (labels >= 0),
  CONSTRAINT uq_resource_type_logical_id_vault_version UNIQUE (type, logical_id, vault, version),
  CONSTRAINT ck_resource_state CHECK (state IN ('pending', 'sealed', 'anchored')),
  CONSTRAINT fk_resource_vault FOREIGN KEY(vault) REFERENCES vault (tag),
  CONSTRAINT fk_resource_record_id FOREIGN KEY(record_id) REFERENCES record (record_id),
  CONSTRAINT fk_resource_source_id FOREIGN KEY(source_id) REFERENCES source (id)
);

CREATE INDEX ix_resource_record_id ON resource (record_id) WHERE record_id IS NOT NULL;

CREATE INDEX ix_resource_source_id ON resource (source_id) WHERE source_id IS NOT NULL;

CREATE INDEX ix_resource_vault_category ON resource (vault, category);

CREATE TABLE leaf (
  leaf BYTEA NOT NULL CONSTRAINT ck_leaf_leaf CHECK (length(leaf) = 32),
  record_id BYTEA CONSTRAINT ck_leaf_record_id CHECK (length(record_id) = 32),
  resource_id BIGINT,
  place BIGINT NOT NULL,
  batch_id BYTEA CONSTRAINT ck_leaf_batch_id CHECK (length(batch_id) = 32),
  position BIGINT,
  CONSTRAINT pk_leaf PRIMARY KEY (leaf),
  CONSTRAINT uq_leaf_batch_id_position UNIQUE (batch_id, position),
  CONSTRAINT uq_leaf_record_id_place UNIQUE (record_id, place),
  CONSTRAINT fk_leaf_record_id FOREIGN KEY(record_id) REFERENCES record (record_id),
  CONSTRAINT fk_leaf_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id),
  CONSTRAINT fk_leaf_batch_id FOREIGN KEY(batch_id) REFERENCES batch (batch_id)
);

CREATE INDEX ix_leaf_resource_id ON leaf (resource_id);

CREATE TABLE outbox (
  id BIGSERIAL NOT NULL,
  resource_id BIGINT NOT NULL,
  claimed_by TEXT,
  claimed_until_ms BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  CONSTRAINT pk_outbox PRIMARY KEY (id),
  CONSTRAINT uq_outbox_resource_id UNIQUE (resource_id),
  CONSTRAINT fk_outbox_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id)
);
