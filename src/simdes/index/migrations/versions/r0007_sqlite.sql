CREATE TABLE facade_source (
  url TEXT NOT NULL,
  mode TEXT NOT NULL,
  asked_ms INTEGER,
  begun_ms INTEGER,
  ended_ms INTEGER,
  failure TEXT NOT NULL,
  holder TEXT,
  held_until_ms INTEGER NOT NULL,
  CONSTRAINT pk_facade_source PRIMARY KEY (url)
)
 STRICT;

CREATE TABLE facade_deletion (
  url TEXT NOT NULL,
  type TEXT NOT NULL,
  logical_id TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  CONSTRAINT pk_facade_deletion PRIMARY KEY (url, type, logical_id),
  CONSTRAINT fk_facade_deletion_url FOREIGN KEY(url) REFERENCES facade_source (url)
)
 STRICT;

CREATE TABLE facade_stream (
  url TEXT NOT NULL,
  name TEXT NOT NULL,
  position_ms INTEGER,
  loaded INTEGER NOT NULL,
  total INTEGER,
  taken INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  CONSTRAINT pk_facade_stream PRIMARY KEY (url, name),
  CONSTRAINT ck_facade_stream_loaded CHECK (loaded BETWEEN 0 AND 1),
  CONSTRAINT fk_facade_stream_url FOREIGN KEY(url) REFERENCES facade_source (url)
)
 STRICT;
