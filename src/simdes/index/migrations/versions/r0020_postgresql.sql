CREATE TABLE count_budget (
  researcher TEXT NOT NULL,
  spent BIGINT NOT NULL,
  CONSTRAINT pk_count_budget PRIMARY KEY (researcher),
  CONSTRAINT ck_count_budget_spent CHECK (spent BETWEEN 0 AND 1000000000)
);
CREATE TABLE count_answer (
  question BYTEA NOT NULL CONSTRAINT ck_count_answer_question CHECK (length(question) = 32),
  noisy BIGINT NOT NULL,
  answered_ms BIGINT NOT NULL,
  CONSTRAINT pk_count_answer PRIMARY KEY (question)
);
