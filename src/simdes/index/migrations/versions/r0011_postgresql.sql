CREATE TABLE chain_epoch (
  tag BYTEA NOT NULL CONSTRAINT ck_chain_epoch_tag CHECK (length(tag) = 32),
  epoch BIGINT NOT NULL,
  descriptor BYTEA NOT NULL CONSTRAINT ck_chain_epoch_descriptor CHECK (length(descriptor) = 32),
  CONSTRAINT pk_chain_epoch PRIMARY KEY (tag, epoch)
);

CREATE TABLE renewal (
  tag BYTEA NOT NULL CONSTRAINT ck_renewal_tag CHECK (length(tag) = 32),
  epoch BIGINT NOT NULL,
  descriptor BYTEA NOT NULL CONSTRAINT ck_renewal_descriptor CHECK (length(descriptor) = 32),
  m BIGINT NOT NULL,
  n BIGINT NOT NULL,
  deadline_seconds BIGINT NOT NULL,
  signatures BYTEA NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT pk_renewal PRIMARY KEY (tag),
  CONSTRAINT ck_renewal_state CHECK (state IN ('agreed', 'done'))
);

CREATE INDEX ix_renewal_state ON renewal (state);

CREATE TABLE renewed_capsule (
  record_id BYTEA NOT NULL CONSTRAINT ck_renewed_capsule_record_id CHECK (length(record_id) = 32),
  epoch BIGINT NOT NULL,
  vault BYTEA NOT NULL CONSTRAINT ck_renewed_capsule_vault CHECK (length(vault) = 32),
  capsule_cid TEXT NOT NULL,
  CONSTRAINT pk_renewed_capsule PRIMARY KEY (record_id, epoch)
);

CREATE INDEX ix_renewed_capsule_vault_epoch ON renewed_capsule (vault, epoch);

INSERT INTO chain_epoch (tag, epoch, descriptor) SELECT tag, epoch, descriptor FROM chain_vault;
