CREATE TABLE health_link (
  id BLOB NOT NULL CONSTRAINT ck_health_link_id CHECK (length(id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_health_link_vault CHECK (length(vault) = 32),
  details_wrapped BLOB NOT NULL,
  flags TEXT NOT NULL,
  passcode BLOB,
  content BLOB NOT NULL,
  tries INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_health_link PRIMARY KEY (id)
)
 STRICT;
CREATE INDEX ix_health_link_vault_created_ms ON health_link (vault, created_ms);
CREATE TABLE health_link_use (
  link BLOB NOT NULL CONSTRAINT ck_health_link_use_link CHECK (length(link) = 32),
  number INTEGER NOT NULL,
  recipient_wrapped BLOB NOT NULL,
  opened INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  CONSTRAINT pk_health_link_use PRIMARY KEY (link, number)
)
 STRICT;
