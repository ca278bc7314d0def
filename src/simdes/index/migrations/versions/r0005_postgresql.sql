DROP TABLE session;

CREATE TABLE client (
  id TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret_digest BYTEA CONSTRAINT ck_client_secret_digest CHECK (length(secret_digest) = 32),
  keys TEXT,
  keys_url TEXT,
  redirect_uris TEXT NOT NULL,
  launch_url TEXT,
  scope TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_client PRIMARY KEY (id),
  CONSTRAINT ck_client_kind CHECK (kind IN ('public', 'confidential', 'backend')),
  CONSTRAINT ck_client_keys CHECK (keys IS NULL OR keys_url IS NULL)
);

CREATE TABLE recent_reading (
  account BYTEA NOT NULL CONSTRAINT ck_recent_reading_account CHECK (length(account) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_recent_reading_vault CHECK (length(vault) = 32),
  treating BIGINT NOT NULL,
  read_ms BIGINT NOT NULL,
  CONSTRAINT pk_recent_reading PRIMARY KEY (account, vault),
  CONSTRAINT ck_recent_reading_treating CHECK (treating BETWEEN 0 AND 1)
);

CREATE INDEX ix_recent_reading_read_ms ON recent_reading (read_ms);

CREATE TABLE spent_assertion (
  id BYTEA NOT NULL CONSTRAINT ck_spent_assertion_id CHECK (length(id) = 32),
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_spent_assertion PRIMARY KEY (id)
);

CREATE INDEX ix_spent_assertion_expires_ms ON spent_assertion (expires_ms);

CREATE TABLE authorization_grant (
  id BYTEA NOT NULL CONSTRAINT ck_authorization_grant_id CHECK (length(id) = 32),
  client_id TEXT NOT NULL,
  account BYTEA NOT NULL CONSTRAINT ck_authorization_grant_account CHECK (length(account) = 32),
  scope TEXT NOT NULL,
  vault BYTEA CONSTRAINT ck_authorization_grant_vault CHECK (length(vault) = 32),
  patient TEXT NOT NULL,
  encounter TEXT NOT NULL,
  fhir_user TEXT NOT NULL,
  authenticated_ms BIGINT NOT NULL,
  methods TEXT NOT NULL,
  lasting TEXT NOT NULL,
  thumbprint TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_authorization_grant PRIMARY KEY (id),
  CONSTRAINT ck_authorization_grant_lasting CHECK (lasting IN ('none', 'online', 'offline')),
  CONSTRAINT fk_authorization_grant_client_id FOREIGN KEY(client_id) REFERENCES client (id),
  CONSTRAINT fk_authorization_grant_vault FOREIGN KEY(vault) REFERENCES vault (tag)
);

CREATE INDEX ix_authorization_grant_account ON authorization_grant (account);

CREATE INDEX ix_authorization_grant_client_id ON authorization_grant (client_id);

CREATE INDEX ix_authorization_grant_expires_ms ON authorization_grant (expires_ms);

CREATE INDEX ix_authorization_grant_vault ON authorization_grant (vault);

CREATE TABLE authorization_request (
  id BYTEA NOT NULL CONSTRAINT ck_authorization_request_id CHECK (length(id) = 32),
  client_id TEXT NOT NULL,
  parameters TEXT NOT NULL,
  launch_account BYTEA CONSTRAINT ck_authorization_request_launch_account CHECK (length(launch_account) = 32),
  vault BYTEA CONSTRAINT ck_authorization_request_vault CHECK (length(vault) = 32),
  patient TEXT NOT NULL,
  encounter TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_authorization_request PRIMARY KEY (id),
  CONSTRAINT fk_authorization_request_client_id FOREIGN KEY(client_id) REFERENCES client (id),
  CONSTRAINT fk_authorization_request_vault FOREIGN KEY(vault) REFERENCES vault (tag)
);

CREATE INDEX ix_authorization_request_client_id ON authorization_request (client_id);

CREATE INDEX ix_authorization_request_expires_ms ON authorization_request (expires_ms);

CREATE INDEX ix_authorization_request_vault ON authorization_request (vault);

CREATE TABLE launch_context (
  id BYTEA NOT NULL CONSTRAINT ck_launch_context_id CHECK (length(id) = 32),
  client_id TEXT NOT NULL,
  account BYTEA NOT NULL CONSTRAINT ck_launch_context_account CHECK (length(account) = 32),
  vault BYTEA CONSTRAINT ck_launch_context_vault CHECK (length(vault) = 32),
  patient TEXT NOT NULL,
  encounter TEXT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_launch_context PRIMARY KEY (id),
  CONSTRAINT fk_launch_context_client_id FOREIGN KEY(client_id) REFERENCES client (id),
  CONSTRAINT fk_launch_context_vault FOREIGN KEY(vault) REFERENCES vault (tag)
);

CREATE INDEX ix_launch_context_client_id ON launch_context (client_id);

CREATE INDEX ix_launch_context_expires_ms ON launch_context (expires_ms);

CREATE INDEX ix_launch_context_vault ON launch_context (vault);

CREATE TABLE authorization_code (
  id BYTEA NOT NULL CONSTRAINT ck_authorization_code_id CHECK (length(id) = 32),
  grant_id BYTEA NOT NULL CONSTRAINT ck_authorization_code_grant_id CHECK (length(grant_id) = 32),
  redirect_uri TEXT NOT NULL,
  challenge TEXT NOT NULL,
  nonce TEXT NOT NULL,
  key_wrapped BYTEA,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_authorization_code PRIMARY KEY (id),
  CONSTRAINT fk_authorization_code_grant_id FOREIGN KEY(grant_id) REFERENCES authorization_grant (id) ON DELETE CASCADE
);

CREATE INDEX ix_authorization_code_expires_ms ON authorization_code (expires_ms);

CREATE INDEX ix_authorization_code_grant_id ON authorization_code (grant_id);

CREATE TABLE refresh_token (
  id BYTEA NOT NULL CONSTRAINT ck_refresh_token_id CHECK (length(id) = 32),
  grant_id BYTEA NOT NULL CONSTRAINT ck_refresh_token_grant_id CHECK (length(grant_id) = 32),
  key_wrapped BYTEA,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_refresh_token PRIMARY KEY (id),
  CONSTRAINT fk_refresh_token_grant_id FOREIGN KEY(grant_id) REFERENCES authorization_grant (id) ON DELETE CASCADE
);

CREATE INDEX ix_refresh_token_expires_ms ON refresh_token (expires_ms);

CREATE INDEX ix_refresh_token_grant_id ON refresh_token (grant_id);

CREATE TABLE session (
  id BYTEA NOT NULL CONSTRAINT ck_session_id CHECK (length(id) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_session_account CHECK (length(account) = 32),
  key_wrapped BYTEA,
  grant_id BYTEA CONSTRAINT ck_session_grant_id CHECK (length(grant_id) = 32),
  vault BYTEA CONSTRAINT ck_session_vault CHECK (length(vault) = 32),
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_session PRIMARY KEY (id),
  CONSTRAINT fk_session_grant_id FOREIGN KEY(grant_id) REFERENCES authorization_grant (id) ON DELETE CASCADE
);

CREATE INDEX ix_session_account ON session (account);

CREATE INDEX ix_session_expires_ms ON session (expires_ms);

CREATE INDEX ix_session_grant_id ON session (grant_id);
