CREATE TABLE account_freeze (
  account BLOB NOT NULL CONSTRAINT ck_account_freeze_account CHECK (length(account) = 32),
  nonce INTEGER NOT NULL,
  deadline_seconds INTEGER NOT NULL,
  begun_ms INTEGER NOT NULL,
  CONSTRAINT pk_account_freeze PRIMARY KEY (account)
)
 STRICT;
CREATE TABLE freeze_proof (
  account BLOB NOT NULL CONSTRAINT ck_freeze_proof_account CHECK (length(account) = 32),
  signer BLOB NOT NULL CONSTRAINT ck_freeze_proof_signer CHECK (length(signer) = 20),
  proof BLOB NOT NULL,
  CONSTRAINT pk_freeze_proof PRIMARY KEY (account, signer)
)
 STRICT;
CREATE TABLE recovery_attestation (
  account BLOB NOT NULL CONSTRAINT ck_recovery_attestation_account CHECK (length(account) = 32),
  address BLOB NOT NULL CONSTRAINT ck_recovery_attestation_address CHECK (length(address) = 20),
  organisation BLOB NOT NULL CONSTRAINT ck_recovery_attestation_organisation CHECK (length(organisation) = 32),
  details_wrapped BLOB NOT NULL,
  CONSTRAINT pk_recovery_attestation PRIMARY KEY (account, address, organisation)
)
 STRICT;
