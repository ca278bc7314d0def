CREATE TABLE erasure (
  vault BLOB NOT NULL CONSTRAINT ck_erasure_vault CHECK (length(vault) = 32),
  signed TEXT NOT NULL,
  begun_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  settled_ms INTEGER,
  CONSTRAINT pk_erasure PRIMARY KEY (vault)
)
 STRICT;
CREATE INDEX ix_erasure_due ON erasure (next_ms) WHERE settled_ms IS NULL;
CREATE TABLE erasure_missing (
  vault BLOB NOT NULL CONSTRAINT ck_erasure_missing_vault CHECK (length(vault) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_erasure_missing_organisation CHECK (length(organisation) = 32),
  why TEXT NOT NULL,
  asked_ms INTEGER NOT NULL,
  CONSTRAINT pk_erasure_missing PRIMARY KEY (vault, organisation)
)
 STRICT;
