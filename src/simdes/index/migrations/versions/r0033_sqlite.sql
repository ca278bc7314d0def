CREATE TABLE merge_question (
  id BLOB NOT NULL CONSTRAINT ck_merge_question_id CHECK (length(id) = 32),
  message BLOB NOT NULL CONSTRAINT ck_merge_question_message CHECK (length(message) = 32),
  prior BLOB NOT NULL CONSTRAINT ck_merge_question_prior CHECK (length(prior) = 32),
  survivor BLOB NOT NULL CONSTRAINT ck_merge_question_survivor CHECK (length(survivor) = 32),
  kept BLOB NOT NULL CONSTRAINT ck_merge_question_kept CHECK (length(kept) = 32),
  prior_control BLOB CONSTRAINT ck_merge_question_prior_control CHECK (length(prior_control) = 32),
  survivor_control BLOB CONSTRAINT ck_merge_question_survivor_control CHECK (length(survivor_control) = 32),
  asked_ms INTEGER NOT NULL,
  until_seconds INTEGER NOT NULL,
  CONSTRAINT pk_merge_question PRIMARY KEY (id)
)
 STRICT;
CREATE INDEX ix_merge_question_message ON merge_question (message);
CREATE INDEX ix_merge_question_prior_control ON merge_question (prior_control);
CREATE INDEX ix_merge_question_survivor_control ON merge_question (survivor_control);
CREATE TABLE merge_answer (
  question BLOB NOT NULL CONSTRAINT ck_merge_answer_question CHECK (length(question) = 32),
  account BLOB NOT NULL CONSTRAINT ck_merge_answer_account CHECK (length(account) = 32),
  address BLOB NOT NULL CONSTRAINT ck_merge_answer_address CHECK (length(address) = 20),
  state TEXT NOT NULL,
  signature BLOB NOT NULL CONSTRAINT ck_merge_answer_signature CHECK (length(signature) = 65),
  answered_ms INTEGER NOT NULL,
  CONSTRAINT pk_merge_answer PRIMARY KEY (question, account, address),
  CONSTRAINT ck_merge_answer_state CHECK (state IN ('accepted', 'declined', 'withdrawn'))
)
 STRICT;
