CREATE TABLE fingerprint_plan (
  "plan" BLOB NOT NULL CONSTRAINT ck_fingerprint_plan_plan CHECK (length(plan) = 32),
  content BLOB NOT NULL,
  state TEXT NOT NULL,
  dealing BLOB,
  "key" BLOB CONSTRAINT ck_fingerprint_plan_key CHECK (length(key) = 32),
  share_wrapped BLOB,
  agreed_ms INTEGER NOT NULL,
  CONSTRAINT pk_fingerprint_plan PRIMARY KEY ("plan"),
  CONSTRAINT ck_fingerprint_plan_state CHECK (state IN ('agreed', 'held', 'ended')),
  CONSTRAINT ck_fingerprint_plan_held CHECK ((state = 'held') = (share_wrapped IS NOT NULL))
)
 STRICT;
CREATE INDEX ix_fingerprint_plan_key ON fingerprint_plan ("key");
CREATE TABLE fingerprint_key (
  "key" BLOB NOT NULL CONSTRAINT ck_fingerprint_key_key CHECK (length(key) = 32),
  content BLOB NOT NULL,
  adopted_ms INTEGER NOT NULL,
  CONSTRAINT pk_fingerprint_key PRIMARY KEY ("key")
)
 STRICT;
CREATE INDEX ix_fingerprint_key_adopted_ms ON fingerprint_key (adopted_ms);
CREATE TABLE fingerprint_spent (
  organisation BLOB NOT NULL CONSTRAINT ck_fingerprint_spent_organisation CHECK (length(organisation) = 32),
  day INTEGER NOT NULL,
  spent INTEGER NOT NULL,
  CONSTRAINT pk_fingerprint_spent PRIMARY KEY (organisation, day)
)
 STRICT;
CREATE TABLE fingerprint_batch (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  function BLOB NOT NULL CONSTRAINT ck_fingerprint_batch_function CHECK (length(function) = 32),
  content BLOB NOT NULL,
  made_ms INTEGER NOT NULL
)
 STRICT;
CREATE TABLE fingerprint_line (
  function BLOB NOT NULL CONSTRAINT ck_fingerprint_line_function CHECK (length(function) = 32),
  fingerprint BLOB NOT NULL CONSTRAINT ck_fingerprint_line_fingerprint CHECK (length(fingerprint) = 16),
  kind TEXT NOT NULL,
  matched_by TEXT NOT NULL,
  detail TEXT NOT NULL,
  claim TEXT NOT NULL,
  line INTEGER NOT NULL,
  day TEXT NOT NULL,
  coordinated INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  batch INTEGER,
  CONSTRAINT pk_fingerprint_line PRIMARY KEY (function, fingerprint, claim, line)
)
 STRICT;
CREATE INDEX ix_fingerprint_line_batch ON fingerprint_line (batch);
CREATE INDEX ix_fingerprint_line_claim ON fingerprint_line (claim);
CREATE TABLE fingerprint_seen (
  function BLOB NOT NULL CONSTRAINT ck_fingerprint_seen_function CHECK (length(function) = 32),
  fingerprint BLOB NOT NULL CONSTRAINT ck_fingerprint_seen_fingerprint CHECK (length(fingerprint) = 16),
  organisation BLOB NOT NULL CONSTRAINT ck_fingerprint_seen_organisation CHECK (length(organisation) = 32),
  batch INTEGER NOT NULL,
  CONSTRAINT pk_fingerprint_seen PRIMARY KEY (function, fingerprint, organisation)
)
 STRICT;
CREATE TABLE fingerprint_read (
  function BLOB NOT NULL CONSTRAINT ck_fingerprint_read_function CHECK (length(function) = 32),
  organisation BLOB NOT NULL CONSTRAINT ck_fingerprint_read_organisation CHECK (length(organisation) = 32),
  batch INTEGER NOT NULL,
  CONSTRAINT pk_fingerprint_read PRIMARY KEY (function, organisation)
)
 STRICT;
