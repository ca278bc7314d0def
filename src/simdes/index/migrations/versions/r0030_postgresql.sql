CREATE TABLE claim_news (
  claim BYTEA NOT NULL CONSTRAINT ck_claim_news_claim CHECK (length(claim) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_claim_news_vault CHECK (length(vault) = 32),
  insurer BYTEA NOT NULL CONSTRAINT ck_claim_news_insurer CHECK (length(insurer) = 32),
  state BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  CONSTRAINT pk_claim_news PRIMARY KEY (claim)
);
CREATE INDEX ix_claim_news_vault_at_ms ON claim_news (vault, at_ms);
