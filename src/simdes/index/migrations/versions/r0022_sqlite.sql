CREATE TABLE guardian (
  account BLOB NOT NULL CONSTRAINT ck_guardian_account CHECK (length(account) = 32),
  root BLOB NOT NULL CONSTRAINT ck_guardian_root CHECK (length(root) = 32),
  number INTEGER NOT NULL,
  details_wrapped BLOB NOT NULL,
  told INTEGER NOT NULL,
  CONSTRAINT pk_guardian PRIMARY KEY (account, root, number)
)
 STRICT;
CREATE TABLE guardianship (
  guardian BLOB NOT NULL CONSTRAINT ck_guardianship_guardian CHECK (length(guardian) = 32),
  account BLOB NOT NULL CONSTRAINT ck_guardianship_account CHECK (length(account) = 32),
  root BLOB NOT NULL CONSTRAINT ck_guardianship_root CHECK (length(root) = 32),
  details_wrapped BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  CONSTRAINT pk_guardianship PRIMARY KEY (guardian, account, root)
)
 STRICT;
CREATE TABLE recovery (
  account BLOB NOT NULL CONSTRAINT ck_recovery_account CHECK (length(account) = 32),
  address BLOB NOT NULL CONSTRAINT ck_recovery_address CHECK (length(address) = 20),
  locked_wrapped BLOB NOT NULL,
  nonce INTEGER NOT NULL,
  deadline_seconds INTEGER NOT NULL,
  begun_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  CONSTRAINT pk_recovery PRIMARY KEY (account, address),
  CONSTRAINT ck_recovery_state CHECK (state IN ('open', 'sent'))
)
 STRICT;
CREATE TABLE recovery_proof (
  account BLOB NOT NULL CONSTRAINT ck_recovery_proof_account CHECK (length(account) = 32),
  address BLOB NOT NULL CONSTRAINT ck_recovery_proof_address CHECK (length(address) = 20),
  signer BLOB NOT NULL CONSTRAINT ck_recovery_proof_signer CHECK (length(signer) = 20),
  proof BLOB NOT NULL,
  CONSTRAINT pk_recovery_proof PRIMARY KEY (account, address, signer)
)
 STRICT;
