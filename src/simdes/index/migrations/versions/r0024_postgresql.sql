CREATE TABLE fingerprint_plan (
  plan BYTEA NOT NULL CONSTRAINT ck_fingerprint_plan_plan CHECK (length(plan) = 32),
  content BYTEA NOT NULL,
  state TEXT NOT NULL,
  dealing BYTEA,
  key BYTEA CONSTRAINT ck_fingerprint_plan_key CHECK (length(key) = 32),
  share_wrapped BYTEA,
  agreed_ms BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_plan PRIMARY KEY (plan),
  CONSTRAINT ck_fingerprint_plan_state CHECK (state IN ('agreed', 'held', 'ended')),
  CONSTRAINT ck_fingerprint_plan_held CHECK ((state = 'held') = (share_wrapped IS NOT NULL))
);
CREATE INDEX ix_fingerprint_plan_key ON fingerprint_plan (key);
CREATE TABLE fingerprint_key (
  key BYTEA NOT NULL CONSTRAINT ck_fingerprint_key_key CHECK (length(key) = 32),
  content BYTEA NOT NULL,
  adopted_ms BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_key PRIMARY KEY (key)
);
CREATE INDEX ix_fingerprint_key_adopted_ms ON fingerprint_key (adopted_ms);
CREATE TABLE fingerprint_spent (
  organisation BYTEA NOT NULL CONSTRAINT ck_fingerprint_spent_organisation CHECK (length(organisation) = 32),
  day BIGINT NOT NULL,
  spent BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_spent PRIMARY KEY (organisation, day)
);
CREATE TABLE fingerprint_batch (
  id BIGSERIAL NOT NULL,
  function BYTEA NOT NULL CONSTRAINT ck_fingerprint_batch_function CHECK (length(function) = 32),
  content BYTEA NOT NULL,
  made_ms BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_batch PRIMARY KEY (id)
);
CREATE TABLE fingerprint_line (
  function BYTEA NOT NULL CONSTRAINT ck_fingerprint_line_function CHECK (length(function) = 32),
  fingerprint BYTEA NOT NULL CONSTRAINT ck_fingerprint_line_fingerprint CHECK (length(fingerprint) = 16),
  kind TEXT NOT NULL,
  matched_by TEXT NOT NULL,
  detail TEXT NOT NULL,
  claim TEXT NOT NULL,
  line BIGINT NOT NULL,
  day TEXT NOT NULL,
  coordinated BIGINT NOT NULL,
  accepted BIGINT NOT NULL,
  batch BIGINT,
  CONSTRAINT pk_fingerprint_line PRIMARY KEY (function, fingerprint, claim, line)
);
CREATE INDEX ix_fingerprint_line_batch ON fingerprint_line (batch);
CREATE INDEX ix_fingerprint_line_claim ON fingerprint_line (claim);
CREATE TABLE fingerprint_seen (
  function BYTEA NOT NULL CONSTRAINT ck_fingerprint_seen_function CHECK (length(function) = 32),
  fingerprint BYTEA NOT NULL CONSTRAINT ck_fingerprint_seen_fingerprint CHECK (length(fingerprint) = 16),
  organisation BYTEA NOT NULL CONSTRAINT ck_fingerprint_seen_organisation CHECK (length(organisation) = 32),
  batch BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_seen PRIMARY KEY (function, fingerprint, organisation)
);
CREATE TABLE fingerprint_read (
  function BYTEA NOT NULL CONSTRAINT ck_fingerprint_read_function CHECK (length(function) = 32),
  organisation BYTEA NOT NULL CONSTRAINT ck_fingerprint_read_organisation CHECK (length(organisation) = 32),
  batch BIGINT NOT NULL,
  CONSTRAINT pk_fingerprint_read PRIMARY KEY (function, organisation)
);
