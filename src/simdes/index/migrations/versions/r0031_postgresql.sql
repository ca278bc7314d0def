CREATE TABLE account_freeze (
  account BYTEA NOT NULL CONSTRAINT ck_account_freeze_account CHECK (length(account) = 32),
  nonce BIGINT NOT NULL,
  deadline_seconds BIGINT NOT NULL,
  begun_ms BIGINT NOT NULL,
  CONSTRAINT pk_account_freeze PRIMARY KEY (account)
);
CREATE TABLE freeze_proof (
  account BYTEA NOT NULL CONSTRAINT ck_freeze_proof_account CHECK (length(account) = 32),
  signer BYTEA NOT NULL CONSTRAINT ck_freeze_proof_signer CHECK (length(signer) = 20),
  proof BYTEA NOT NULL,
  CONSTRAINT pk_freeze_proof PRIMARY KEY (account, signer)
);
CREATE TABLE recovery_attestation (
  account BYTEA NOT NULL CONSTRAINT ck_recovery_attestation_account CHECK (length(account) = 32),
  address BYTEA NOT NULL CONSTRAINT ck_recovery_attestation_address CHECK (length(address) = 20),
  organisation BYTEA NOT NULL CONSTRAINT ck_recovery_attestation_organisation CHECK (length(organisation) = 32),
  details_wrapped BYTEA NOT NULL,
  CONSTRAINT pk_recovery_attestation PRIMARY KEY (account, address, organisation)
);
