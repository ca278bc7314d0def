CREATE TABLE schema_release (
  id BIGINT NOT NULL,
  oldest TEXT NOT NULL,
  CONSTRAINT pk_schema_release PRIMARY KEY (id),
  CONSTRAINT ck_schema_release_id CHECK (id BETWEEN 1 AND 1)
);

INSERT INTO schema_release (id, oldest) VALUES (1, '0014');
