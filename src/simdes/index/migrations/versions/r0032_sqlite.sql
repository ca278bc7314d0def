CREATE TABLE prescription_told (
  number INTEGER NOT NULL,
  prescription BLOB NOT NULL CONSTRAINT ck_prescription_told_prescription CHECK (length(prescription) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_prescription_told_vault CHECK (length(vault) = 32),
  pharmacy BLOB NOT NULL CONSTRAINT ck_prescription_told_pharmacy CHECK (length(pharmacy) = 32),
  handle BLOB NOT NULL CONSTRAINT ck_prescription_told_handle CHECK (length(handle) = 32),
  CONSTRAINT pk_prescription_told PRIMARY KEY (number),
  CONSTRAINT uq_prescription_told_prescription_handle UNIQUE (prescription, handle)
)
 STRICT;
CREATE INDEX ix_prescription_told_pharmacy_number ON prescription_told (pharmacy, number);
CREATE INDEX ix_prescription_told_vault ON prescription_told (vault);
CREATE TABLE prescription_heard (
  provider BLOB NOT NULL CONSTRAINT ck_prescription_heard_provider CHECK (length(provider) = 32),
  number INTEGER NOT NULL,
  CONSTRAINT pk_prescription_heard PRIMARY KEY (provider)
)
 STRICT;
CREATE TABLE prescription_known (
  prescription BLOB NOT NULL CONSTRAINT ck_prescription_known_prescription CHECK (length(prescription) = 32),
  vault BLOB NOT NULL CONSTRAINT ck_prescription_known_vault CHECK (length(vault) = 32),
  provider BLOB NOT NULL CONSTRAINT ck_prescription_known_provider CHECK (length(provider) = 32),
  number INTEGER NOT NULL,
  CONSTRAINT pk_prescription_known PRIMARY KEY (prescription)
)
 STRICT;
CREATE INDEX ix_prescription_known_vault ON prescription_known (vault);
CREATE TABLE prescription_announce (
  vault BLOB NOT NULL CONSTRAINT ck_prescription_announce_vault CHECK (length(vault) = 32),
  CONSTRAINT pk_prescription_announce PRIMARY KEY (vault)
)
 STRICT;
INSERT INTO prescription_announce (vault)
  SELECT DISTINCT vault FROM prescription WHERE state = 'issued' AND cancel = 'no';
