CREATE TABLE erasure_receipt (
  vault BLOB NOT NULL CONSTRAINT ck_erasure_receipt_vault CHECK (length(vault) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_erasure_receipt_organisation CHECK (length(organisation) = 32),
  epochs INTEGER NOT NULL,
  chart TEXT NOT NULL,
  duty TEXT NOT NULL,
  token BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  CONSTRAINT pk_erasure_receipt PRIMARY KEY (vault, organisation),
  CONSTRAINT ck_erasure_receipt_chart CHECK (chart IN ('none', 'erased', 'kept'))
)
 STRICT;
