CREATE TABLE count_budget (
  researcher TEXT NOT NULL,
  spent INTEGER NOT NULL,
  CONSTRAINT pk_count_budget PRIMARY KEY (researcher),
  CONSTRAINT ck_count_budget_spent CHECK (spent BETWEEN 0 AND 1000000000)
)
 STRICT;
CREATE TABLE count_answer (
  question BLOB NOT NULL CONSTRAINT ck_count_answer_question CHECK (length(question) = 32),
  noisy INTEGER NOT NULL,
  answered_ms INTEGER NOT NULL,
  CONSTRAINT pk_count_answer PRIMARY KEY (question)
)
 STRICT;
