CREATE TABLE guardian (
  account BYTEA NOT NULL CONSTRAINT ck_guardian_account CHECK (length(account) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_guardian_root CHECK (length(root) = 32),
  number BIGINT NOT NULL,
  details_wrapped BYTEA NOT NULL,
  told BIGINT NOT NULL,
  CONSTRAINT pk_guardian PRIMARY KEY (account, root, number)
);
CREATE TABLE guardianship (
  guardian BYTEA NOT NULL CONSTRAINT ck_guardianship_guardian CHECK (length(guardian) = 32),
  account BYTEA NOT NULL CONSTRAINT ck_guardianship_account CHECK (length(account) = 32),
  root BYTEA NOT NULL CONSTRAINT ck_guardianship_root CHECK (length(root) = 32),
  details_wrapped BYTEA NOT NULL,
  received_ms BIGINT NOT NULL,
  CONSTRAINT pk_guardianship PRIMARY KEY (guardian, account, root)
);
CREATE TABLE recovery (
  account BYTEA NOT NULL CONSTRAINT ck_recovery_account CHECK (length(account) = 32),
  address BYTEA NOT NULL CONSTRAINT ck_recovery_address CHECK (length(address) = 20),
  locked_wrapped BYTEA NOT NULL,
  nonce BIGINT NOT NULL,
  deadline_seconds BIGINT NOT NULL,
  begun_ms BIGINT NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT pk_recovery PRIMARY KEY (account, address),
  CONSTRAINT ck_recovery_state CHECK (state IN ('open', 'sent'))
);
CREATE TABLE recovery_proof (
  account BYTEA NOT NULL CONSTRAINT ck_recovery_proof_account CHECK (length(account) = 32),
  address BYTEA NOT NULL CONSTRAINT ck_recovery_proof_address CHECK (length(address) = 20),
  signer BYTEA NOT NULL CONSTRAINT ck_recovery_proof_signer CHECK (length(signer) = 20),
  proof BYTEA NOT NULL,
  CONSTRAINT pk_recovery_proof PRIMARY KEY (account, address, signer)
);
