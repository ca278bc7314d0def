CREATE TABLE access_request (
  id BLOB NOT NULL CONSTRAINT ck_access_request_id CHECK (length(id) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_access_request_vault CHECK (length(vault) = 32),
  account BLOB NOT NULL CONSTRAINT ck_access_request_account CHECK (length(account) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_access_request_organisation CHECK (length(organisation) = 32),
  role INTEGER NOT NULL,
  categories INTEGER NOT NULL,
  purpose INTEGER NOT NULL,
  days INTEGER NOT NULL,
  words_wrapped BLOB NOT NULL,
  asked_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  answered_ms INTEGER,
  handle BLOB CONSTRAINT ck_access_request_handle CHECK (length(handle) = 32),
  CONSTRAINT pk_access_request PRIMARY KEY (id),
  CONSTRAINT ck_access_request_state CHECK (state IN ('waiting', 'accepted', 'declined')),
  CONSTRAINT ck_access_request_days CHECK (days BETWEEN 1 AND 366)
)
 STRICT;
CREATE INDEX ix_access_request_vault_account ON access_request (vault, account);
CREATE TABLE emergency_reason (
  vault BLOB NOT NULL CONSTRAINT ck_emergency_reason_vault CHECK (length(vault) = 32),
  handle BLOB NOT NULL CONSTRAINT ck_emergency_reason_handle CHECK (length(handle) = 32),
  words_wrapped BLOB NOT NULL,
  told_ms INTEGER,
  created_ms INTEGER NOT NULL,
  CONSTRAINT pk_emergency_reason PRIMARY KEY (vault, handle)
)
 STRICT;
