CREATE TABLE audit_opening (
  id BYTEA NOT NULL CONSTRAINT ck_audit_opening_id CHECK (length(id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_audit_opening_vault CHECK (length(vault) = 32),
  attempt_wrapped BYTEA NOT NULL,
  begun_ms BIGINT NOT NULL,
  seq BIGINT,
  CONSTRAINT pk_audit_opening PRIMARY KEY (id)
);

CREATE INDEX ix_audit_opening_open ON audit_opening (begun_ms) WHERE seq IS NULL;

CREATE INDEX ix_audit_opening_vault_begun_ms ON audit_opening (vault, begun_ms);

CREATE TABLE audit_witness (
  id BIGSERIAL NOT NULL,
  seq BIGINT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_audit_witness_organisation CHECK (length(organisation) = 32),
  verb TEXT NOT NULL,
  reason TEXT NOT NULL,
  said_ms BIGINT NOT NULL,
  records BYTEA NOT NULL,
  token BYTEA,
  first_ms BIGINT,
  CONSTRAINT pk_audit_witness PRIMARY KEY (id)
);

CREATE INDEX ix_audit_witness_organisation_id ON audit_witness (organisation, id);

CREATE TABLE audit_finding (
  id BYTEA NOT NULL CONSTRAINT ck_audit_finding_id CHECK (length(id) = 32),
  kind TEXT NOT NULL,
  organisation BYTEA NOT NULL CONSTRAINT ck_audit_finding_organisation CHECK (length(organisation) = 32),
  vault BYTEA CONSTRAINT ck_audit_finding_vault CHECK (length(vault) = 32),
  seq BIGINT,
  batch_seq BIGINT,
  token BYTEA,
  found_ms BIGINT NOT NULL,
  again_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  why TEXT NOT NULL,
  closed_by TEXT NOT NULL,
  closed_ms BIGINT,
  CONSTRAINT pk_audit_finding PRIMARY KEY (id),
  CONSTRAINT ck_audit_finding_state CHECK (state IN ('open', 'closed')),
  CONSTRAINT ck_audit_finding_closed CHECK ((state = 'closed') = (closed_ms IS NOT NULL))
);

CREATE INDEX ix_audit_finding_organisation ON audit_finding (organisation);

CREATE INDEX ix_audit_finding_state_found_ms ON audit_finding (state, found_ms);

CREATE INDEX ix_chain_audit_root_root ON chain_audit_root (root);

INSERT INTO checkpoint (name, block_number, block_hash) SELECT 'audit-scanned', seq, digest FROM audit_entry ORDER BY seq DESC LIMIT 1;
