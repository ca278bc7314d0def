CREATE TABLE mail_address (
  account BLOB NOT NULL CONSTRAINT ck_mail_address_account CHECK (length(account) = 32),
  vault BLOB CONSTRAINT ck_mail_address_vault CHECK (length(vault) = 32),
  address_wrapped BLOB NOT NULL,
  stop BLOB NOT NULL CONSTRAINT ck_mail_address_stop CHECK (length(stop) = 16),
  language TEXT NOT NULL,
  kinds TEXT NOT NULL,
  most INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  confirmed_ms INTEGER NOT NULL,
  stopped_ms INTEGER,
  due_ms INTEGER,
  alarm INTEGER NOT NULL,
  CONSTRAINT pk_mail_address PRIMARY KEY (account),
  CONSTRAINT ck_mail_address_digest CHECK (digest BETWEEN 0 AND 1),
  CONSTRAINT ck_mail_address_alarm CHECK (alarm BETWEEN 0 AND 1),
  CONSTRAINT ck_mail_address_most CHECK (most >= 1)
)
 STRICT;
CREATE INDEX ix_mail_address_due ON mail_address (due_ms) WHERE due_ms IS NOT NULL;
CREATE UNIQUE INDEX ix_mail_address_stop ON mail_address (stop);
CREATE INDEX ix_mail_address_vault ON mail_address (vault);
CREATE TABLE mail_code (
  account BLOB NOT NULL CONSTRAINT ck_mail_code_account CHECK (length(account) = 32),
  address_wrapped BLOB NOT NULL,
  nonce BLOB NOT NULL CONSTRAINT ck_mail_code_nonce CHECK (length(nonce) = 32),
  language TEXT NOT NULL,
  tries INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_mail_code PRIMARY KEY (account)
)
 STRICT;
CREATE INDEX ix_mail_code_expires_ms ON mail_code (expires_ms);
CREATE TABLE mail_letter (
  id BLOB NOT NULL CONSTRAINT ck_mail_letter_id CHECK (length(id) = 16),
  account BLOB NOT NULL CONSTRAINT ck_mail_letter_account CHECK (length(account) = 32),
  kind TEXT NOT NULL,
  address_wrapped BLOB,
  nonce BLOB,
  language TEXT NOT NULL,
  tries INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  holder TEXT,
  made_ms INTEGER NOT NULL,
  CONSTRAINT pk_mail_letter PRIMARY KEY (id)
)
 STRICT;
CREATE INDEX ix_mail_letter_account ON mail_letter (account);
CREATE INDEX ix_mail_letter_next_ms ON mail_letter (next_ms);
CREATE TABLE mail_count (
  subject BLOB NOT NULL CONSTRAINT ck_mail_count_subject CHECK (length(subject) = 32),
  day INTEGER NOT NULL,
  count INTEGER NOT NULL,
  CONSTRAINT pk_mail_count PRIMARY KEY (subject, day)
)
 STRICT;
CREATE INDEX ix_mail_count_day ON mail_count (day);
