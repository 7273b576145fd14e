-- What looked like an antivirus and matched no entry of the catalogue, by host and day: names, and contacts without a name.
-- A later catalogue is applied to it.
CREATE TABLE unmatched (
	sensor TEXT NOT NULL,
	host TEXT NOT NULL, -- its address then
	day BIGINT NOT NULL,
	kind TEXT NOT NULL, -- name, contact
	value TEXT NOT NULL, -- a name; transport, address and port
	seen BIGINT NOT NULL,
	first_seen BIGINT NOT NULL,
	last_seen BIGINT NOT NULL,
	PRIMARY KEY (sensor, host, day, kind, value)
);
CREATE INDEX unmatched_day ON unmatched (day);
CREATE INDEX unmatched_value ON unmatched (kind, value);
