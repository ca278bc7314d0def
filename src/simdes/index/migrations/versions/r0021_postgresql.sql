CREATE TABLE access_request (
  id BYTEA NOT NULL CONSTRAINT ck_access_request_id CHECK (length(id) = 32),
  vault BYTEA NOT NULL CONSTRAINT ck_access_request_vault CHECK (length(vault) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_access_request_account CHECK (length(account) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_access_request_organisation CHECK (length(organisation) = 32),
  role BIGINT NOT NULL,
  categories BIGINT NOT NULL,
  purpose BIGINT NOT NULL,
  days BIGINT NOT NULL,
  words_wrapped BYTEA NOT NULL,
  asked_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  answered_ms BIGINT,
  handle BYTEA CONSTRAINT ck_access_request_handle CHECK (length(handle) = 32),
  CONSTRAINT pk_access_request PRIMARY KEY (id),
  CONSTRAINT ck_access_request_state CHECK (state IN ('waiting', 'accepted', 'declined')),
  CONSTRAINT ck_access_request_days CHECK (days BETWEEN 1 AND 366)
);
CREATE INDEX ix_access_request_vault_account ON access_request (vault, account);
CREATE TABLE emergency_reason (
  vault BYTEA NOT NULL CONSTRAINT ck_emergency_reason_vault CHECK (length(vault) = 32),
  handle BYTEA NOT NULL CONSTRAINT ck_emergency_reason_handle CHECK (length(handle) = 32),
  words_wrapped BYTEA NOT NULL,
  told_ms BIGINT,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_emergency_reason PRIMARY KEY (vault, handle)
);
