CREATE TABLE chain_epoch (
  tag BLOB NOT NULL CONSTRAINT ck_chain_epoch_tag CHECK (length(tag) = 32),
  epoch INTEGER NOT NULL,
  descriptor BLOB NOT NULL CONSTRAINT ck_chain_epoch_descriptor CHECK (length(descriptor) = 32),
  CONSTRAINT pk_chain_epoch PRIMARY KEY (tag, epoch)
)
 STRICT;

CREATE TABLE renewal (
  tag BLOB NOT NULL CONSTRAINT ck_renewal_tag CHECK (length(tag) = 32),
  epoch INTEGER NOT NULL,
  descriptor BLOB NOT NULL CONSTRAINT ck_renewal_descriptor CHECK (length(descriptor) = 32),
  m INTEGER NOT NULL,
  n INTEGER NOT NULL,
  deadline_seconds INTEGER NOT NULL,
  signatures BLOB NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT pk_renewal PRIMARY KEY (tag),
  CONSTRAINT ck_renewal_state CHECK (state IN ('agreed', 'done'))
)
 STRICT;

CREATE INDEX ix_renewal_state ON renewal (state);

CREATE TABLE renewed_capsule (
  record_id BLOB NOT NULL CONSTRAINT ck_renewed_capsule_record_id CHECK (length(record_id) = 32),
  epoch INTEGER NOT NULL,
  vault BLOB NOT NULL CONSTRAINT ck_renewed_capsule_vault CHECK (length(vault) = 32),
  capsule_cid TEXT NOT NULL,
  CONSTRAINT pk_renewed_capsule PRIMARY KEY (record_id, epoch)
)
 STRICT;

CREATE INDEX ix_renewed_capsule_vault_epoch ON renewed_capsule (vault, epoch);

INSERT INTO chain_epoch (tag, epoch, descriptor) SELECT tag, epoch, descriptor FROM chain_vault;
