CREATE TABLE erasure (
  vault BYTEA NOT NULL CONSTRAINT ck_erasure_vault CHECK (length(vault) = 32),
  signed TEXT NOT NULL,
  begun_ms BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  settled_ms BIGINT,
  CONSTRAINT pk_erasure PRIMARY KEY (vault)
);
CREATE INDEX ix_erasure_due ON erasure (next_ms) WHERE settled_ms IS NULL;
CREATE TABLE erasure_missing (
  vault BYTEA NOT NULL CONSTRAINT ck_erasure_missing_vault CHECK (length(vault) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_erasure_missing_organisation CHECK (length(organisation) = 32),
  why TEXT NOT NULL,
  asked_ms BIGINT NOT NULL,
  CONSTRAINT pk_erasure_missing PRIMARY KEY (vault, organisation)
);
