-- Alerts that are to be sent get a sequence: the order in which the sinks get them.
ALTER TABLE alerts ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0; -- never used twice; 0: only remembered

ALTER TABLE alerts ADD COLUMN size BIGINT NOT NULL DEFAULT 0; -- bytes that the row takes of the file's pages, where it has a sequence

CREATE INDEX alerts_sequence ON alerts (sequence);

-- Counts, sums and the limit read this index alone, never the bodies.
CREATE INDEX alerts_severity ON alerts (severity, sequence, size);

-- How far each sink is: it is done with the alerts up to and including position.
CREATE TABLE sinks (
	name TEXT NOT NULL PRIMARY KEY,
	position BIGINT NOT NULL
);

-- Alerts that a receiver rejected for good.
CREATE TABLE dead_letters (
	sink TEXT NOT NULL,
	sequence BIGINT NOT NULL, -- of the alert
	rejected BIGINT NOT NULL, -- wall clock
	reason TEXT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (sink, sequence)
);
