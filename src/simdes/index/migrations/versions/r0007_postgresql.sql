CREATE TABLE facade_source (
  url TEXT NOT NULL,
  mode TEXT NOT NULL,
  asked_ms BIGINT,
  begun_ms BIGINT,
  ended_ms BIGINT,
  failure TEXT NOT NULL,
  holder TEXT,
  held_until_ms BIGINT NOT NULL,
  CONSTRAINT pk_facade_source PRIMARY KEY (url)
);

CREATE TABLE facade_deletion (
  url TEXT NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  seen_ms BIGINT NOT NULL,
  CONSTRAINT pk_facade_deletion PRIMARY KEY (url, type, logical_id),
  CONSTRAINT fk_facade_deletion_url FOREIGN KEY(url) REFERENCES facade_source (url)
);

CREATE TABLE facade_stream (
  url TEXT NOT NULL,
  name TEXT NOT NULL,
  position_ms BIGINT,
  loaded BIGINT NOT NULL,
  total BIGINT,
  taken BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  CONSTRAINT pk_facade_stream PRIMARY KEY (url, name),
  CONSTRAINT ck_facade_stream_loaded CHECK (loaded BETWEEN 0 AND 1),
  CONSTRAINT fk_facade_stream_url FOREIGN KEY(url) REFERENCES facade_source (url)
);
