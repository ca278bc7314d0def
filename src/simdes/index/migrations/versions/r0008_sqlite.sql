CREATE TABLE subscription (
  id TEXT NOT NULL,
  resource_id INTEGER NOT NULL,
  account BLOB NOT NULL CONSTRAINT ck_subscription_account CHECK (length(account) = 32),
  client TEXT NOT NULL,
  scope TEXT NOT NULL,
  grant_id BLOB,
  launch_vault BLOB CONSTRAINT ck_subscription_launch_vault CHECK (length(launch_vault) = 32),
  purpose INTEGER NOT NULL,
  type TEXT NOT NULL,
  channel TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  position INTEGER NOT NULL,
  events INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  sent_ms INTEGER NOT NULL,
  heartbeat_ms INTEGER NOT NULL,
  end_ms INTEGER,
  holder TEXT,
  held_until_ms INTEGER NOT NULL,
  CONSTRAINT pk_subscription PRIMARY KEY (id),
  CONSTRAINT ck_subscription_status CHECK (status IN ('requested', 'active', 'error', 'off')),
  CONSTRAINT ck_subscription_channel CHECK (channel IN ('rest-hook', 'websocket'))
)
 STRICT;

CREATE INDEX ix_subscription_account ON subscription (account);

CREATE INDEX ix_subscription_next_ms ON subscription (next_ms);

CREATE INDEX ix_subscription_type_status ON subscription (type, status);

CREATE TABLE happening (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  position INTEGER,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  entry INTEGER NOT NULL,
  resource_id INTEGER
)
 STRICT;

CREATE INDEX ix_happening_new ON happening (id) WHERE position IS NULL;

CREATE INDEX ix_happening_position ON happening (position);

CREATE INDEX ix_happening_type_position ON happening (type, position);

CREATE TABLE subscription_event (
  subscription TEXT NOT NULL,
  number INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  deleted INTEGER NOT NULL,
  entry INTEGER NOT NULL,
  resource_id INTEGER,
  CONSTRAINT pk_subscription_event PRIMARY KEY (subscription, number),
  CONSTRAINT ck_subscription_event_deleted CHECK (deleted BETWEEN 0 AND 1),
  CONSTRAINT fk_subscription_event_subscription FOREIGN KEY(subscription) REFERENCES subscription (id) ON DELETE CASCADE
)
 WITHOUT ROWID,
 STRICT;

CREATE INDEX ix_subscription_event_subscription_logical_id ON subscription_event (subscription, logical_id);

CREATE TABLE subscription_binding (
  token BLOB NOT NULL,
  account BLOB NOT NULL CONSTRAINT ck_subscription_binding_account CHECK (length(account) = 32),
  client TEXT NOT NULL,
  session BLOB NOT NULL CONSTRAINT ck_subscription_binding_session CHECK (length(session) = 32),
  session_until_ms INTEGER NOT NULL,
  names TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  CONSTRAINT pk_subscription_binding PRIMARY KEY (token)
)
 STRICT;

CREATE INDEX ix_subscription_binding_expires_ms ON subscription_binding (expires_ms);
