CREATE TABLE merge_question (
  id BYTEA NOT NULL CONSTRAINT ck_merge_question_id CHECK (length(id) = 32),
  message BYTEA NOT NULL CONSTRAINT ck_merge_question_message CHECK (length(message) = 32),
  prior BYTEA NOT NULL CONSTRAINT ck_merge_question_prior CHECK (length(prior) = 32),
  survivor BYTEA NOT NULL CONSTRAINT ck_merge_question_survivor CHECK (length(survivor) = 32),
  kept BYTEA NOT NULL CONSTRAINT ck_merge_question_kept CHECK (length(kept) = 32),
  prior_control BYTEA CONSTRAINT ck_merge_question_prior_control CHECK (length(prior_control) = 32),
  survivor_control BYTEA CONSTRAINT ck_merge_question_survivor_control CHECK (length(survivor_control) = 32),
  asked_ms BIGINT NOT NULL,
  until_seconds BIGINT NOT NULL,
  CONSTRAINT pk_merge_question PRIMARY KEY (id)
);
CREATE INDEX ix_merge_question_message ON merge_question (message);
CREATE INDEX ix_merge_question_prior_control ON merge_question (prior_control);
CREATE INDEX ix_merge_question_survivor_control ON merge_question (survivor_control);
CREATE TABLE merge_answer (
  question BYTEA NOT NULL CONSTRAINT ck_merge_answer_question CHECK (length(question) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_merge_answer_account CHECK (length(account) = 32),
  address BYTEA NOT NULL CONSTRAINT ck_merge_answer_address CHECK (length(address) = 20),
  state TEXT NOT NULL,
  signature BYTEA NOT NULL CONSTRAINT ck_merge_answer_signature CHECK (length(signature) = 65),
  answered_ms BIGINT NOT NULL,
  CONSTRAINT pk_merge_answer PRIMARY KEY (question, account, address),
  CONSTRAINT ck_merge_answer_state CHECK (state IN ('accepted', 'declined', 'withdrawn'))
);
