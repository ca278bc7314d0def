CREATE TABLE browser_session (
  id BLOB NOT NULL CONSTRAINT ck_browser_session_id CHECK (length(id) = 32),
  account BLOB NOT NULL CONSTRAINT ck_browser_session_account CHECK (length(account) = 32),
  key_wrapped BLOB,
  methods TEXT NOT NULL,
  state TEXT NOT NULL,
  client_wrapped BLOB NOT NULL,
  proved_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_browser_session PRIMARY KEY (id),
  CONSTRAINT ck_browser_session_state CHECK (state IN ('half', 'whole')),
  CONSTRAINT ck_browser_session_key CHECK (state = 'half' OR key_wrapped IS NOT NULL)
)
 STRICT;

CREATE INDEX ix_browser_session_account ON browser_session (account);

CREATE INDEX ix_browser_session_expires_ms ON browser_session (expires_ms);

CREATE TABLE one_time_code (
  account BLOB NOT NULL CONSTRAINT ck_one_time_code_account CHECK (length(account) = 32),
  secret_wrapped BLOB NOT NULL,
  last_step INTEGER NOT NULL,
  confirmed INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_one_time_code PRIMARY KEY (account),
  CONSTRAINT ck_one_time_code_confirmed CHECK (confirmed BETWEEN 0 AND 1)
)
 STRICT;

CREATE TABLE passkey (
  id BLOB NOT NULL CONSTRAINT ck_passkey_id CHECK (length(id) = 32),
  account BLOB NOT NULL CONSTRAINT ck_passkey_account CHECK (length(account) = 32),
  credential BLOB NOT NULL,
  public BLOB NOT NULL,
  sign_count INTEGER NOT NULL,
  synchronised INTEGER NOT NULL,
  key_wrapped BLOB,
  label_wrapped BLOB NOT NULL,
  created_ms INTEGER NOT NULL,
  used_ms INTEGER,
  doubted_ms INTEGER,
  CONSTRAINT pk_passkey PRIMARY KEY (id),
  CONSTRAINT ck_passkey_synchronised CHECK (synchronised BETWEEN 0 AND 1)
)
 STRICT;

CREATE INDEX ix_passkey_account_created_ms ON passkey (account, created_ms);

CREATE TABLE recovery_code (
  digest BLOB NOT NULL CONSTRAINT ck_recovery_code_digest CHECK (length(digest) = 32),
  account BLOB NOT NULL CONSTRAINT ck_recovery_code_account CHECK (length(account) = 32),
  CONSTRAINT pk_recovery_code PRIMARY KEY (digest)
)
 STRICT;

CREATE INDEX ix_recovery_code_account ON recovery_code (account);

CREATE TABLE sign_in_delay (
  subject BLOB NOT NULL CONSTRAINT ck_sign_in_delay_subject CHECK (length(subject) = 32),
  failures INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  CONSTRAINT pk_sign_in_delay PRIMARY KEY (subject),
  CONSTRAINT ck_sign_in_delay_failures CHECK (failures > 0)
)
 STRICT;

CREATE INDEX ix_sign_in_delay_last_ms ON sign_in_delay (last_ms);

CREATE TABLE spent_challenge (
  digest BLOB NOT NULL CONSTRAINT ck_spent_challenge_digest CHECK (length(digest) = 32),
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_spent_challenge PRIMARY KEY (digest)
)
 STRICT;

CREATE INDEX ix_spent_challenge_expires_ms ON spent_challenge (expires_ms);
