CREATE TABLE claim_told (
  number INTEGER NOT NULL,
  claim BLOB NOT NULL CONSTRAINT ck_claim_told_claim CHECK (length(claim) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_claim_told_vault CHECK (length(vault) = 32),
  insurer BLOB NOT NULL CONSTRAINT ck_claim_told_insurer CHECK (length(insurer) = 32),
  CONSTRAINT pk_claim_told PRIMARY KEY (number),
  CONSTRAINT uq_claim_told_claim UNIQUE (claim)
)
 STRICT;
CREATE INDEX ix_claim_told_insurer_number ON claim_told (insurer, number);
CREATE TABLE claim_heard (
  provider BLOB NOT NULL CONSTRAINT ck_claim_heard_provider CHECK (length(provider) = 32),
  number INTEGER NOT NULL,
  CONSTRAINT pk_claim_heard PRIMARY KEY (provider)
)
 STRICT;
CREATE TABLE claim_known (
  claim BLOB NOT NULL CONSTRAINT ck_claim_known_claim CHECK (length(claim) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_claim_known_vault CHECK (length(vault) = 32),
  provider BLOB NOT NULL CONSTRAINT ck_claim_known_provider CHECK (length(provider) = 32),
  number INTEGER NOT NULL,
  CONSTRAINT pk_claim_known PRIMARY KEY (claim)
)
 STRICT;
CREATE INDEX ix_claim_known_provider_number ON claim_known (provider, number);
