CREATE TABLE study_document (
  study BYTEA NOT NULL CONSTRAINT ck_study_document_study CHECK (length(study) = 32),
  content BYTEA NOT NULL,
  CONSTRAINT pk_study_document PRIMARY KEY (study)
);
CREATE TABLE study_release (
  id BYTEA NOT NULL CONSTRAINT ck_study_release_id CHECK (length(id) = 32),
  study BYTEA NOT NULL CONSTRAINT ck_study_release_study CHECK (length(study) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_study_release_account CHECK (length(account) = 32),
  state TEXT NOT NULL,
  done BIGINT NOT NULL,
  total BIGINT NOT NULL,
  number BIGINT NOT NULL,
  patients BIGINT NOT NULL,
  failure TEXT NOT NULL,
  report BYTEA NOT NULL,
  package BYTEA NOT NULL,
  asked_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  CONSTRAINT pk_study_release PRIMARY KEY (id),
  CONSTRAINT ck_study_release_state CHECK (state IN ('reading', 'made', 'failed'))
);
CREATE INDEX ix_study_release_study_asked_ms ON study_release (study, asked_ms);
