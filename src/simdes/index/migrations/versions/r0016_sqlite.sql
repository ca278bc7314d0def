CREATE TABLE audit_opening (
  id BLOB NOT NULL CONSTRAINT ck_audit_opening_id CHECK (length(id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_audit_opening_vault CHECK (length(vault) = 32),
  attempt_wrapped BLOB NOT NULL,
  begun_ms INTEGER NOT NULL,
  seq INTEGER,
  CONSTRAINT pk_audit_opening PRIMARY KEY (id)
)
 STRICT;

CREATE INDEX ix_audit_opening_open ON audit_opening (begun_ms) WHERE seq IS NULL;

CREATE INDEX ix_audit_opening_vault_begun_ms ON audit_opening (vault, begun_ms);

CREATE TABLE audit_witness (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  seq INTEGER NOT NULL,
  organisation BLOB NOT NULL CONSTRAINT ck_audit_witness_organisation CHECK (length(organisation) = 32),
  verb TEXT NOT NULL,
  reason TEXT NOT NULL,
  said_ms INTEGER NOT NULL,
  records BLOB NOT NULL,
  token BLOB,
  first_ms INTEGER
)
 STRICT;

CREATE INDEX ix_audit_witness_organisation_id ON audit_witness (organisation, id);

CREATE TABLE audit_finding (
  id BLOB NOT NULL CONSTRAINT ck_audit_finding_id CHECK (length(id) = 32),
  kind TEXT NOT NULL,
  organisation BLOB NOT NULL CONSTRAINT ck_audit_finding_organisation CHECK (length(organisation) = 32),
  vault BLOB CONSTRAINT ck_audit_finding_vault CHECK (length(vault) = 32),
  seq INTEGER,
  batch_seq INTEGER,
  token BLOB,
  found_ms INTEGER NOT NULL,
  again_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  why TEXT NOT NULL,
  closed_by TEXT NOT NULL,
  closed_ms INTEGER,
  CONSTRAINT pk_audit_finding PRIMARY KEY (id),
  CONSTRAINT ck_audit_finding_state CHECK (state IN ('open', 'closed')),
  CONSTRAINT ck_audit_finding_closed CHECK ((state = 'closed') = (closed_ms IS NOT NULL))
)
 STRICT;

CREATE INDEX ix_audit_finding_organisation ON audit_finding (organisation);

CREATE INDEX ix_audit_finding_state_found_ms ON audit_finding (state, found_ms);

CREATE INDEX ix_chain_audit_root_root ON chain_audit_root (root);

INSERT INTO checkpoint (name, block_number, block_hash) SELECT 'audit-scanned', seq, digest FROM audit_entry ORDER BY seq DESC LIMIT 1;
