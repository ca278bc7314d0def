CREATE TABLE arrival (
  vault BLOB NOT NULL CONSTRAINT ck_arrival_vault CHECK (length(vault) = 32),
  block INTEGER NOT NULL,
  ahead INTEGER NOT NULL,
  looked_ms INTEGER NOT NULL,
  CONSTRAINT pk_arrival PRIMARY KEY (vault)
)
 STRICT;
