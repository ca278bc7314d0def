CREATE TABLE grant_use (
  grant_id BYTEA NOT NULL CONSTRAINT ck_grant_use_grant_id CHECK (length(grant_id) = 32),
  used_ms BIGINT NOT NULL,
  CONSTRAINT pk_grant_use PRIMARY KEY (grant_id),
  CONSTRAINT fk_grant_use_grant_id FOREIGN KEY(grant_id) REFERENCES authorization_grant (id) ON DELETE CASCADE
);
