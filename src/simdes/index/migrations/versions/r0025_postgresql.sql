CREATE TABLE health_link (
  id BYTEA NOT NULL CONSTRAINT ck_health_link_id CHECK (length(id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_health_link_vault CHECK (length(vault) = 32),
  details_wrapped BYTEA NOT NULL,
  flags TEXT NOT NULL,
  passcode BYTEA,
  content BYTEA NOT NULL,
  tries BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_health_link PRIMARY KEY (id)
);
CREATE INDEX ix_health_link_vault_created_ms ON health_link (vault, created_ms);
CREATE TABLE health_link_use (
  link BYTEA NOT NULL CONSTRAINT ck_health_link_use_link CHECK (length(link) = 32),
  number BIGINT NOT NULL,
  recipient_wrapped BYTEA NOT NULL,
  opened BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  CONSTRAINT pk_health_link_use PRIMARY KEY (link, number)
);
