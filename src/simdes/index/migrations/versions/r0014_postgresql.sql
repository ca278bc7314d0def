CREATE TABLE arrival (
  vault BYTEA NOT NULL CONSTRAINT ck_arrival_vault CHECK (length(vault) = 32),
  block BIGINT NOT NULL,
  ahead BIGINT NOT NULL,
  looked_ms BIGINT NOT NULL,
  CONSTRAINT pk_arrival PRIMARY KEY (vault)
);
