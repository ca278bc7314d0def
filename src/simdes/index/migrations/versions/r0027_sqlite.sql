CREATE TABLE study_document (
  study BLOB NOT NULL CONSTRAINT ck_study_document_study CHECK (length(study) = 32),
  content BLOB NOT NULL,
  CONSTRAINT pk_study_document PRIMARY KEY (study)
)
 STRICT;
CREATE TABLE study_release (
  id BLOB NOT NULL CONSTRAINT ck_study_release_id CHECK (length(id) = 32),
  study BLOB NOT NULL CONSTRAINT ck_study_release_study CHECK (length(study) = 32),
  account BLOB NOT NULL CONSTRAINT ck_study_release_account CHECK (length(account) = 32),
  state TEXT NOT NULL,
  done INTEGER NOT NULL,
  total INTEGER NOT NULL,
  number INTEGER NOT NULL,
  patients INTEGER NOT NULL,
  failure TEXT NOT NULL,
  report BLOB NOT NULL,
  package BLOB NOT NULL,
  asked_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  CONSTRAINT pk_study_release PRIMARY KEY (id),
  CONSTRAINT ck_study_release_state CHECK (state IN ('reading', 'made', 'failed'))
)
 STRICT;
CREATE INDEX ix_study_release_study_asked_ms ON study_release (study, asked_ms);
