CREATE TABLE subscription (
  id TEXT NOT NULL,
  resource_id BIGINT NOT NULL,
  account BYTEA NOT NULL CONSTRAINT ck_subscription_account CHECK (length(account) = 32),
  client TEXT NOT NULL,
  scope TEXT NOT NULL,
  grant_id BYTEA,
  launch_vault BYTEA CONSTRAINT ck_subscription_launch_vault CHECK (length(launch_vault) = 32),
  purpose BIGINT NOT NULL,
  type TEXT NOT NULL,
  channel TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  position BIGINT NOT NULL,
  events BIGINT NOT NULL,
  delivered BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  next_ms BIGINT NOT NULL,
  sent_ms BIGINT NOT NULL,
  heartbeat_ms BIGINT NOT NULL,
  end_ms BIGINT,
  holder TEXT,
  held_until_ms BIGINT NOT NULL,
  CONSTRAINT pk_subscription PRIMARY KEY (id),
  CONSTRAINT ck_subscription_status CHECK (status IN ('requested', 'active', 'error', 'off')),
  CONSTRAINT ck_subscription_channel CHECK (channel IN ('rest-hook', 'websocket'))
);

CREATE INDEX ix_subscription_account ON subscription (account);

CREATE INDEX ix_subscription_next_ms ON subscription (next_ms);

CREATE INDEX ix_subscription_type_status ON subscription (type, status);

CREATE TABLE happening (
  id BIGSERIAL NOT NULL,
  position BIGINT,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  entry BIGINT NOT NULL,
  resource_id BIGINT,
  CONSTRAINT pk_happening PRIMARY KEY (id)
);

CREATE INDEX ix_happening_new ON happening (id) WHERE position IS NULL;

CREATE INDEX ix_happening_position ON happening (position);

CREATE INDEX ix_happening_type_position ON happening (type, position);

CREATE TABLE subscription_event (
  subscription TEXT NOT NULL,
  number BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  entry BIGINT NOT NULL,
  resource_id BIGINT,
  CONSTRAINT pk_subscription_event PRIMARY KEY (subscription, number),
  CONSTRAINT ck_subscription_event_deleted CHECK (deleted BETWEEN 0 AND 1),
  CONSTRAINT fk_subscription_event_subscription FOREIGN KEY(subscription) REFERENCES subscription (id) ON DELETE CASCADE
);

CREATE INDEX ix_subscription_event_subscription_logical_id ON subscription_event (subscription, logical_id);

CREATE TABLE subscription_binding (
  token BYTEA NOT NULL,
  account BYTEA NOT NULL CONSTRAINT ck_subscription_binding_account CHECK (length(account) = 32),
  client TEXT NOT NULL,
  session BYTEA NOT NULL CONSTRAINT ck_subscription_binding_session CHECK (length(session) = 32),
  session_until_ms BIGINT NOT NULL,
  names TEXT NOT NULL,
  expires_ms BIGINT NOT NULL,
  CONSTRAINT pk_subscription_binding PRIMARY KEY (token)
);

CREATE INDEX ix_subscription_binding_expires_ms ON subscription_binding (expires_ms);
