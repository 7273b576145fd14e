-- Alerts that are to be sent, in the order in which the sinks get them. A row outlives its delivery until its room is needed,
-- so that a sink of a new name can begin at the oldest.
CREATE TABLE outbox (
	sequence INTEGER NOT NULL PRIMARY KEY, -- never used twice
	id TEXT NOT NULL UNIQUE, -- the alert's
	finding TEXT NOT NULL,
	severity INTEGER NOT NULL,
	stored BIGINT NOT NULL, -- wall clock
	size BIGINT NOT NULL, -- bytes that the row takes of the file's pages
	body TEXT NOT NULL -- the alert, JSON
);

-- Counts, sums and the limit read this index alone, never the bodies.
CREATE INDEX outbox_severity ON outbox (severity, sequence, size);

-- How far each sink is: it is done with the outbox up to and including position.
CREATE TABLE sinks (
	name TEXT NOT NULL PRIMARY KEY,
	position BIGINT NOT NULL
);

-- Alerts that a receiver rejected for good.
CREATE TABLE dead_letters (
	sink TEXT NOT NULL,
	sequence BIGINT NOT NULL, -- of the outbox
	rejected BIGINT NOT NULL, -- wall clock
	reason TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (sink, sequence)
);
