CREATE TABLE browser_session (
  id BYTEA NOT NULL CONSTRAINT ck_browser_session_id CHECK (length(id) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_browser_session_account CHECK (length(account) = 32),
  key_wrapped BYTEA,
  methods TEXT NOT NULL,
  state TEXT NOT NULL,
  client_wrapped BYTEA NOT NULL,
  proved_ms BIGINT NOT NULL,
  started_ms BIGINT NOT NULL,
  seen_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_browser_session PRIMARY KEY (id),
  CONSTRAINT ck_browser_session_state CHECK (state IN ('half', 'whole')),
  CONSTRAINT ck_browser_session_key CHECK (state = 'half' OR key_wrapped IS NOT NULL)
);

CREATE INDEX ix_browser_session_account ON browser_session (account);

CREATE INDEX ix_browser_session_expires_ms ON browser_session (expires_ms);

CREATE TABLE one_time_code (
  account BYTEA NOT NULL CONSTRAINT ck_one_time_code_account CHECK (length(account) = 32),
  secret_wrapped BYTEA NOT NULL,
  last_step BIGINT NOT NULL,
  confirmed BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_one_time_code PRIMARY KEY (account),
  CONSTRAINT ck_one_time_code_confirmed CHECK (confirmed BETWEEN 0 AND 1)
);

CREATE TABLE passkey (
  id BYTEA NOT NULL CONSTRAINT ck_passkey_id CHECK (length(id) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_passkey_account CHECK (length(account) = 32),
  credential BYTEA NOT NULL,
  public BYTEA NOT NULL,
  sign_count BIGINT NOT NULL,
  synchronised BIGINT NOT NULL,
  key_wrapped BYTEA,
  label_wrapped BYTEA NOT NULL,
  created_ms BIGINT NOT NULL,
  used_ms BIGINT,
  doubted_ms BIGINT,
  CONSTRAINT pk_passkey PRIMARY KEY (id),
  CONSTRAINT ck_passkey_synchronised CHECK (synchronised BETWEEN 0 AND 1)
);

CREATE INDEX ix_passkey_account_created_ms ON passkey (account, created_ms);

CREATE TABLE recovery_code (
  digest BYTEA NOT NULL CONSTRAINT ck_recovery_code_digest CHECK (length(digest) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_recovery_code_account CHECK (length(account) = 32),
  CONSTRAINT pk_recovery_code PRIMARY KEY (digest)
);

CREATE INDEX ix_recovery_code_account ON recovery_code (account);

CREATE TABLE sign_in_delay (
  subject BYTEA NOT NULL CONSTRAINT ck_sign_in_delay_subject CHECK (length(subject) = 32),
  failures BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  CONSTRAINT pk_sign_in_delay PRIMARY KEY (subject),
  CONSTRAINT ck_sign_in_delay_failures CHECK (failures > 0)
);

CREATE INDEX ix_sign_in_delay_last_ms ON sign_in_delay (last_ms);

CREATE TABLE spent_challenge (
  digest BYTEA NOT NULL CONSTRAINT ck_spent_challenge_digest CHECK (length(digest) = 32),
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_spent_challenge PRIMARY KEY (digest)
);

CREATE INDEX ix_spent_challenge_expires_ms ON spent_challenge (expires_ms);
