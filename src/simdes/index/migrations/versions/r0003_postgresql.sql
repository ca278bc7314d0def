CREATE TABLE resource_moment (
  resource_id BIGINT NOT NULL,
  event_ms BIGINT,
  sent_ms BIGINT,
  CONSTRAINT pk_resource_moment PRIMARY KEY (resource_id),
  CONSTRAINT ck_resource_moment_said CHECK (event_ms IS NOT NULL OR sent_ms IS NOT NULL),
  CONSTRAINT fk_resource_moment_resource_id FOREIGN KEY(resource_id) REFERENCES resource (id)
);

CREATE TABLE vault_merge (
  prior BYTEA NOT NULL CONSTRAINT ck_vault_merge_prior CHECK (length(prior) = 32),
  survivor BYTEA NOT NULL CONSTRAINT ck_vault_merge_survivor CHECK (length(survivor) = 32),
  state TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  CONSTRAINT pk_vault_merge PRIMARY KEY (prior, survivor),
  CONSTRAINT ck_vault_merge_state CHECK (state IN ('moved', 'waiting')),
  CONSTRAINT ck_vault_merge_two CHECK (prior <> survivor),
  CONSTRAINT fk_vault_merge_prior FOREIGN KEY(prior) REFERENCES vault (tag),
  CONSTRAINT fk_vault_merge_survivor FOREIGN KEY(survivor) REFERENCES vault (tag)
);

CREATE INDEX ix_vault_merge_survivor ON vault_merge (survivor);
