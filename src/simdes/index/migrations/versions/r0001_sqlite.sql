CREATE TABLE audit_batch (
  seq INTEGER NOT NULL,
  previous_root BLOB NOT NULL CONSTRAINT ck_audit_batch_previous_root CHECK (length(previous_root) = 32),
  root BLOB NOT NULL CONSTRAINT ck_audit_batch_root CHECK (length(root) = 32),
  count INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  filler BLOB CONSTRAINT ck_audit_batch_filler CHECK (length(filler) = 32),
  state TEXT NOT NULL,
  transaction_hash BLOB CONSTRAINT ck_audit_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  block_number INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_audit_batch PRIMARY KEY (seq),
  CONSTRAINT ck_audit_batch_emptiness CHECK ((filler IS NULL) = (last_seq >= first_seq)),
  CONSTRAINT ck_audit_batch_state CHECK (state IN ('built', 'sent', 'anchored'))
)
 STRICT;

CREATE TABLE batch (
  batch_id BLOB NOT NULL CONSTRAINT ck_batch_batch_id CHECK (length(batch_id) = 32),
  root BLOB NOT NULL CONSTRAINT ck_batch_root CHECK (length(root) = 32),
  count INTEGER NOT NULL,
  manifest_cid TEXT NOT NULL,
  state TEXT NOT NULL,
  transaction_hash BLOB CONSTRAINT ck_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  block_number INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_batch PRIMARY KEY (batch_id),
  CONSTRAINT ck_batch_count CHECK (count > 0),
  CONSTRAINT ck_batch_state CHECK (state IN ('built', 'sent', 'anchored'))
)
 STRICT;

CREATE INDEX ix_batch_unfinished ON batch (created_ms) WHERE state <> 'anchored';

CREATE TABLE chain_account (
  id BLOB NOT NULL CONSTRAINT ck_chain_account_id CHECK (length(id) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_chain_account_organisation CHECK (length(organisation) = 32),
  role INTEGER NOT NULL,
  state INTEGER NOT NULL,
  address BLOB NOT NULL CONSTRAINT ck_chain_account_address CHECK (length(address) = 20),
  frozen INTEGER NOT NULL,
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_chain_account PRIMARY KEY (id),
  CONSTRAINT ck_chain_account_frozen CHECK (frozen BETWEEN 0 AND 1)
)
 STRICT;

CREATE INDEX ix_chain_account_address ON chain_account (address);

CREATE INDEX ix_chain_account_organisation ON chain_account (organisation);

CREATE TABLE chain_audit_root (
  organisation BLOB NOT NULL CONSTRAINT ck_chain_audit_root_organisation CHECK (length(organisation) = 32),
  seq INTEGER NOT NULL,
  previous_root BLOB NOT NULL CONSTRAINT ck_chain_audit_root_previous_root CHECK (length(previous_root) = 32),
  root BLOB NOT NULL CONSTRAINT ck_chain_audit_root_root CHECK (length(root) = 32),
  count INTEGER NOT NULL,
  block_number INTEGER NOT NULL,
  transaction_hash BLOB NOT NULL CONSTRAINT ck_chain_audit_root_transaction_hash CHECK (length(transaction_hash) = 32),
  CONSTRAINT pk_chain_audit_root PRIMARY KEY (organisation, seq)
)
 STRICT;

CREATE TABLE chain_batch (
  batch_id BLOB NOT NULL CONSTRAINT ck_chain_batch_batch_id CHECK (length(batch_id) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_chain_batch_organisation CHECK (length(organisation) = 32),
  root BLOB NOT NULL CONSTRAINT ck_chain_batch_root CHECK (length(root) = 32),
  count INTEGER NOT NULL,
  manifest BLOB NOT NULL,
  block_number INTEGER NOT NULL,
  transaction_hash BLOB NOT NULL CONSTRAINT ck_chain_batch_transaction_hash CHECK (length(transaction_hash) = 32),
  CONSTRAINT pk_chain_batch PRIMARY KEY (batch_id)
)
 STRICT;

CREATE INDEX ix_chain_batch_block_number ON chain_batch (block_number);

CREATE INDEX ix_chain_batch_organisation ON chain_batch (organisation);

CREATE TABLE chain_consent (
  vault BLOB NOT NULL CONSTRAINT ck_chain_consent_vault CHECK (length(vault) = 32),
  handle BLOB NOT NULL CONSTRAINT ck_chain_consent_handle CHECK (length(handle) = 32),
  state INTEGER NOT NULL,
  emergency INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  commitment BLOB CONSTRAINT ck_chain_consent_commitment CHECK (length(commitment) = 32),
  pointer BLOB CONSTRAINT ck_chain_consent_pointer CHECK (length(pointer) = 32),
  account BLOB CONSTRAINT ck_chain_consent_account CHECK (length(account) = 32),
  organisation BLOB CONSTRAINT ck_chain_consent_organisation CHECK (length(organisation) = 32),
  reason BLOB CONSTRAINT ck_chain_consent_reason CHECK (length(reason) = 32),
  opened_seconds INTEGER,
  until_seconds INTEGER,
  review_due_seconds INTEGER,
  outcome INTEGER NOT NULL,
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_chain_consent PRIMARY KEY (vault, handle),
  CONSTRAINT ck_chain_consent_state CHECK (state BETWEEN 1 AND 3),
  CONSTRAINT ck_chain_consent_emergency CHECK (emergency BETWEEN 0 AND 1),
  CONSTRAINT ck_chain_consent_outcome CHECK (outcome BETWEEN 0 AND 2)
)
 STRICT;

CREATE INDEX ix_chain_consent_handle ON chain_consent (handle);

CREATE INDEX ix_chain_consent_organisation ON chain_consent (organisation);

CREATE TABLE chain_leaf (
  organisation BLOB NOT NULL CONSTRAINT ck_chain_leaf_organisation CHECK (length(organisation) = 32),
  leaf BLOB NOT NULL CONSTRAINT ck_chain_leaf_leaf CHECK (length(leaf) = 32),
  status INTEGER NOT NULL,
  successor BLOB CONSTRAINT ck_chain_leaf_successor CHECK (length(successor) = 32),
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_chain_leaf PRIMARY KEY (organisation, leaf),
  CONSTRAINT ck_chain_leaf_status CHECK (status BETWEEN 1 AND 2)
)
 STRICT;

CREATE INDEX ix_chain_leaf_leaf ON chain_leaf (leaf);

CREATE TABLE chain_organisation (
  id BLOB NOT NULL CONSTRAINT ck_chain_organisation_id CHECK (length(id) = 32),
  kind INTEGER NOT NULL,
  state INTEGER NOT NULL,
  descriptor BLOB NOT NULL CONSTRAINT ck_chain_organisation_descriptor CHECK (length(descriptor) = 32),
  account BLOB NOT NULL CONSTRAINT ck_chain_organisation_account CHECK (length(account) = 32),
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_chain_organisation PRIMARY KEY (id)
)
 STRICT;

CREATE TABLE chain_vault (
  tag BLOB NOT NULL CONSTRAINT ck_chain_vault_tag CHECK (length(tag) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_chain_vault_organisation CHECK (length(organisation) = 32),
  descriptor BLOB NOT NULL CONSTRAINT ck_chain_vault_descriptor CHECK (length(descriptor) = 32),
  m INTEGER NOT NULL,
  n INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  control BLOB CONSTRAINT ck_chain_vault_control CHECK (length(control) = 32),
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_chain_vault PRIMARY KEY (tag)
)
 STRICT;

CREATE INDEX ix_chain_vault_control ON chain_vault (control);

CREATE INDEX ix_chain_vault_organisation ON chain_vault (organisation);

CREATE TABLE checkpoint (
  name TEXT NOT NULL,
  block_number INTEGER NOT NULL,
  block_hash BLOB NOT NULL CONSTRAINT ck_checkpoint_block_hash CHECK (length(block_hash) = 32),
  CONSTRAINT pk_checkpoint PRIMARY KEY (name)
)
 STRICT;

CREATE TABLE custody_key (
  public_digest BLOB NOT NULL CONSTRAINT ck_custody_key_public_digest CHECK (length(public_digest) = 32),
  public BLOB NOT NULL,
  private_wrapped BLOB,
  vault BLOB CONSTRAINT ck_custody_key_vault CHECK (length(vault) = 32),
  epoch INTEGER,
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_custody_key PRIMARY KEY (public_digest),
  CONSTRAINT uq_custody_key_vault_epoch UNIQUE (vault, epoch),
  CONSTRAINT ck_custody_key_state CHECK (state IN ('pool', 'bound', 'destroyed')),
  CONSTRAINT ck_custody_key_private CHECK ((state = 'destroyed') = (private_wrapped IS NULL)),
  CONSTRAINT ck_custody_key_binding CHECK ((vault IS NULL) = (epoch IS NULL))
)
 STRICT;

CREATE INDEX ix_custody_key_pool ON custody_key (created_ms) WHERE state = 'pool';

CREATE TABLE ledger_transaction (
  hash BLOB NOT NULL CONSTRAINT ck_ledger_transaction_hash CHECK (length(hash) = 32),
  lane TEXT NOT NULL,
  nonce INTEGER NOT NULL,
  raw BLOB NOT NULL,
  label TEXT NOT NULL,
  state TEXT NOT NULL,
  block_number INTEGER,
  CONSTRAINT pk_ledger_transaction PRIMARY KEY (hash),
  CONSTRAINT ck_ledger_transaction_state CHECK (state IN ('sent', 'succeeded', 'reverted', 'refused'))
)
 STRICT;

CREATE INDEX ix_ledger_transaction_unsettled ON ledger_transaction (lane, nonce) WHERE state = 'sent';

CREATE TABLE manifest_entry (
  batch_id BLOB NOT NULL CONSTRAINT ck_manifest_entry_batch_id CHECK (length(batch_id) = 32),
  record_id BLOB NOT NULL CONSTRAINT ck_manifest_entry_record_id CHECK (length(record_id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_manifest_entry_vault CHECK (length(vault) = 32),
  category INTEGER NOT NULL,
  labels INTEGER NOT NULL,
  types TEXT NOT NULL,
  body_cid TEXT NOT NULL,
  body_digest BLOB NOT NULL CONSTRAINT ck_manifest_entry_body_digest CHECK (length(body_digest) = 32),
  capsule_cid TEXT NOT NULL,
  indexes TEXT NOT NULL,
  organisation BLOB NOT NULL CONSTRAINT ck_manifest_entry_organisation CHECK (length(organisation) = 32),
  author BLOB NOT NULL CONSTRAINT ck_manifest_entry_author CHECK (length(author) = 20),
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_manifest_entry PRIMARY KEY (batch_id, record_id),
  CONSTRAINT ck_manifest_entry_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_manifest_entry_labels CHECK (labels >= 0)
)
 STRICT;

CREATE INDEX ix_manifest_entry_record_id ON manifest_entry (record_id);

CREATE INDEX ix_manifest_entry_vault_category ON manifest_entry (vault, category);

CREATE TABLE quarantine (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL CONSTRAINT ck_quarantine_digest CHECK (length(digest) = 32),
  name TEXT NOT NULL,
  reason TEXT NOT NULL,
  advice TEXT NOT NULL,
  content_wrapped BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT uq_quarantine_digest UNIQUE (digest),
  CONSTRAINT ck_quarantine_state CHECK (state IN ('open', 'replayed', 'discarded'))
)
 STRICT;

CREATE INDEX ix_quarantine_state ON quarantine (state);

CREATE TABLE refusal_counter (
  fold BLOB NOT NULL CONSTRAINT ck_refusal_counter_fold CHECK (length(fold) = 32),
  first_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  CONSTRAINT pk_refusal_counter PRIMARY KEY (fold),
  CONSTRAINT ck_refusal_counter_count CHECK (count > 0)
)
 STRICT;

CREATE INDEX ix_refusal_counter_first_ms ON refusal_counter (first_ms);

CREATE TABLE release_nonce (
  nonce BLOB NOT NULL CONSTRAINT ck_release_nonce_nonce CHECK (length(nonce) = 32),
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_release_nonce PRIMARY KEY (nonce)
)
 STRICT;

CREATE INDEX ix_release_nonce_expires_ms ON release_nonce (expires_ms);

CREATE TABLE session (
  id BLOB NOT NULL CONSTRAINT ck_session_id CHECK (length(id) = 32),
  account BLOB NOT NULL CONSTRAINT ck_session_account CHECK (length(account) = 32),
  key_wrapped BLOB NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_session PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX ix_session_account ON session (account);

CREATE INDEX ix_session_expires_ms ON session (expires_ms);

CREATE TABLE terms (
  vault BLOB NOT NULL CONSTRAINT ck_terms_vault CHECK (length(vault) = 32),
  handle BLOB NOT NULL CONSTRAINT ck_terms_handle CHECK (length(handle) = 32),
  terms BLOB NOT NULL,
  salt BLOB NOT NULL CONSTRAINT ck_terms_salt CHECK (length(salt) = 32),
  block_number INTEGER NOT NULL,
  CONSTRAINT pk_terms PRIMARY KEY (vault, handle)
)
 STRICT;

CREATE INDEX ix_terms_handle ON terms (handle);

CREATE TABLE vault (
  tag BLOB NOT NULL CONSTRAINT ck_vault_tag CHECK (length(tag) = 32),
  m INTEGER NOT NULL,
  n INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  descriptor_cid TEXT NOT NULL,
  control BLOB CONSTRAINT ck_vault_control CHECK (length(control) = 32),
  home INTEGER NOT NULL,
  key_wrapped BLOB,
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_vault PRIMARY KEY (tag),
  CONSTRAINT ck_vault_m CHECK (m BETWEEN 1 AND n),
  CONSTRAINT ck_vault_home CHECK (home BETWEEN 0 AND 1),
  CONSTRAINT ck_vault_state CHECK (state IN ('opening', 'open', 'erased'))
)
 STRICT;

CREATE INDEX ix_vault_control ON vault (control);

CREATE TABLE audit_entry (
  seq INTEGER NOT NULL,
  previous BLOB NOT NULL CONSTRAINT ck_audit_entry_previous CHECK (length(previous) = 32),
  digest BLOB NOT NULL CONSTRAINT ck_audit_entry_digest CHECK (length(digest) = 32),
  entry BLOB NOT NULL,
  salt BLOB NOT NULL CONSTRAINT ck_audit_entry_salt CHECK (length(salt) = 32),
  leaf BLOB NOT NULL CONSTRAINT ck_audit_entry_leaf CHECK (length(leaf) = 32),
  vault BLOB CONSTRAINT ck_audit_entry_vault CHECK (length(vault) = 32),
  batch_seq INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_audit_entry PRIMARY KEY (seq),
  CONSTRAINT uq_audit_entry_digest UNIQUE (digest),
  CONSTRAINT fk_audit_entry_batch_seq FOREIGN KEY(batch_seq) REFERENCES audit_batch (seq)
)
 STRICT;

CREATE INDEX ix_audit_entry_batch_seq ON audit_entry (batch_seq);

CREATE INDEX ix_audit_entry_created_ms ON audit_entry (created_ms);

CREATE INDEX ix_audit_entry_vault_seq ON audit_entry (vault, seq);

CREATE TABLE identifier (
  system TEXT NOT NULL,
  value TEXT NOT NULL,
  tag BLOB NOT NULL CONSTRAINT ck_identifier_tag CHECK (length(tag) = 32),
  CONSTRAINT pk_identifier PRIMARY KEY (system, value),
  CONSTRAINT fk_identifier_tag FOREIGN KEY(tag) REFERENCES vault (tag)
)
 STRICT;

CREATE INDEX ix_identifier_tag ON identifier (tag);

CREATE TABLE record (
  record_id BLOB NOT NULL CONSTRAINT ck_record_record_id CHECK (length(record_id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_record_vault CHECK (length(vault) = 32),
  category INTEGER NOT NULL,
  labels INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  body_cid TEXT NOT NULL,
  body_digest BLOB NOT NULL CONSTRAINT ck_record_body_digest CHECK (length(body_digest) = 32),
  capsule_cid TEXT NOT NULL,
  organisation BLOB NOT NULL CONSTRAINT ck_record_organisation CHECK (length(organisation) = 32),
  author BLOB NOT NULL CONSTRAINT ck_record_author CHECK (length(author) = 20),
  batch_id BLOB CONSTRAINT ck_record_batch_id CHECK (length(batch_id) = 32),
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_record PRIMARY KEY (record_id),
  CONSTRAINT ck_record_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_record_labels CHECK (labels >= 0),
  CONSTRAINT fk_record_vault FOREIGN KEY(vault) REFERENCES vault (tag),
  CONSTRAINT fk_record_batch_id FOREIGN KEY(batch_id) REFERENCES batch (batch_id)
)
 STRICT;

CREATE INDEX ix_record_batch_id ON record (batch_id);

CREATE INDEX ix_record_unbatched ON record (created_ms) WHERE batch_id IS NULL;

CREATE INDEX ix_record_vault ON record (vault);

CREATE TABLE remote_copy (
  record_id BLOB NOT NULL CONSTRAINT ck_remote_copy_record_id CHECK (length(record_id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_remote_copy_vault CHECK (length(vault) = 32),
  handle BLOB NOT NULL CONSTRAINT ck_remote_copy_handle CHECK (length(handle) = 32),
  content_wrapped BLOB NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_remote_copy PRIMARY KEY (vault, record_id, handle),
  CONSTRAINT fk_remote_copy_vault FOREIGN KEY(vault) REFERENCES vault (tag)
)
 STRICT;

CREATE INDEX ix_remote_copy_expires_ms ON remote_copy (expires_ms);

CREATE INDEX ix_remote_copy_vault_handle ON remote_copy (vault, handle);

CREATE TABLE source (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  digest BLOB NOT NULL CONSTRAINT ck_source_digest CHECK (length(digest) = 32),
  kind TEXT NOT NULL,
  content_wrapped BLOB NOT NULL,
  vault BLOB CONSTRAINT ck_source_vault CHECK (length(vault) = 32),
  received_ms INTEGER NOT NULL,
  resources INTEGER NOT NULL,
  CONSTRAINT uq_source_digest UNIQUE (digest),
  CONSTRAINT fk_source_vault FOREIGN KEY(vault) REFERENCES vault (tag)
)
 STRICT;

CREATE INDEX ix_source_vault ON source (vault);

CREATE TABLE resource (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  vault BLOB NOT NULL CONSTRAINT ck_resource_vault CHECK (length(vault) = 32),
  category INTEGER NOT NULL,
  labels INTEGER NOT NULL,
  content_wrapped BLOB NOT NULL,
  digest BLOB NOT NULL CONSTRAINT ck_resource_digest CHECK (length(digest) = 32),
  salt BLOB NOT NULL CONSTRAINT ck_resource_salt CHECK (length(salt) = 32),
  state TEXT NOT NULL,
  record_id BLOB CONSTRAINT ck_resource_record_id CHECK (length(record_id) = 32),
  leaf BLOB CONSTRAINT ck_resource_leaf CHECK (length(leaf) = 32),
  source_id INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT ck_resource_category CHECK (category BETWEEN 0 AND 63),
  CONSTRAINT ck_resource_labels CHECK (labels >= 0),
  CONSTRAINT uq_resource_type_logical_id_vault_version UNIQUE (type, logical_id, vault, version),
  CONSTRAINT ck_resource_state CHECK (state IN ('pending', 'sealed', 'anchored')),
  CONSTRAINT fk_resource_vault FOREIGN KEY(vault) REFERENCES vault (tag),
  CONSTRAINT fk_resource_record_id FOREIGN KEY(record_id) REFERENCES record (record_id),
  CONSTRAINT fk_resource_source_id FOREIGN KEY(source_id) REFERENCES source (id)
)
 STRICT;

CREATE INDEX ix_resource_record_id ON resource (record_id) WHERE record_id IS NOT NULL;

CREATE INDEX ix_resource_source_id ON resource (source_id) WHERE source_id IS NOT NULL;

CREATE INDEX ix_resource_vault_category ON resource (vault, category);

CREATE TABLE leaf (
  leaf BLOB NOT NULL CONSTRAINT ck_leaf_leaf CHECK (length(leaf) = 32),
  record_id BLOB CONSTRAINT ck_leaf_record_id CHECK (length(record_id) = 32),
  resource_id INTEGER,
  place INTEGER NOT NULL,
  batch_id BLOB CONSTRAINT ck_leaf_batch_id CHECK (length(batch_id) = 32),
  position INTEGER,
  CONSTRAINT pk_leaf PRIMARY KEY (leaf),
  CONSTRAINT uq_leaf_batch_id_position UNIQUE (batch_id, position),
  CONSTRAINT uq_leaf_record_id_place UNIQUE (record_id, place),
  CONSTRAINT fk_leaf_record_id FOREIGN KEY(record_id) REFERENCES record (record_id),
  CONSTRAINT fk_leaf_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id),
  CONSTRAINT fk_leaf_batch_id FOREIGN KEY(batch_id) REFERENCES batch (batch_id)
)
 STRICT;

CREATE INDEX ix_leaf_resource_id ON leaf (resource_id);

CREATE TABLE outbox (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  resource_id INTEGER NOT NULL,
  claimed_by TEXT,
  claimed_until_ms INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  CONSTRAINT uq_outbox_resource_id UNIQUE (resource_id),
  CONSTRAINT fk_outbox_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id)
)
 STRICT;
