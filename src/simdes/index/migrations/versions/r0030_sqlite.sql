CREATE TABLE claim_news (
  claim BLOB NOT NULL CONSTRAINT ck_claim_news_claim CHECK (length(claim) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_claim_news_vault CHECK (length(vault) = 32),
  insurer BLOB NOT NULL CONSTRAINT ck_claim_news_insurer CHECK (length(insurer) = 32),
  state INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  CONSTRAINT pk_claim_news PRIMARY KEY (claim)
)
 STRICT;
CREATE INDEX ix_claim_news_vault_at_ms ON claim_news (vault, at_ms);
