-- What avbeacon remembers. Times are nanoseconds since 1970 UTC, hours and days are counted since 1970, lists are JSON,
-- truth values are 0 and 1, enumerations are the numbers of their Go types. Everything here is understood by SQLite and
-- by PostgreSQL.

CREATE TABLE meta (
	name TEXT NOT NULL PRIMARY KEY, -- schema, id_key, sensor, created
	value TEXT NOT NULL
);

CREATE TABLE hosts (
	sensor TEXT NOT NULL,
	host TEXT NOT NULL, -- the classifier's stable key
	address TEXT NOT NULL,
	mac TEXT NOT NULL,
	name TEXT NOT NULL,
	vlans TEXT NOT NULL,
	last_seen BIGINT NOT NULL,
	PRIMARY KEY (sensor, host)
);

-- What a host was called, and where it was, when.
CREATE TABLE host_names (
	sensor TEXT NOT NULL,
	host TEXT NOT NULL,
	kind TEXT NOT NULL, -- name, address
	value TEXT NOT NULL,
	first_seen BIGINT NOT NULL,
	last_seen BIGINT NOT NULL,
	PRIMARY KEY (sensor, host, kind, value)
);

-- What the classifier goes on from: vendor is '' for the host itself, host and vendor are '' for what belongs to no host.
CREATE TABLE states (
	sensor TEXT NOT NULL,
	host TEXT NOT NULL,
	vendor TEXT NOT NULL,
	saved BIGINT NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (sensor, host, vendor)
);

CREATE TABLE findings (
	id TEXT NOT NULL PRIMARY KEY,
	sensor TEXT NOT NULL,
	vendor TEXT NOT NULL,
	vendor_name TEXT NOT NULL,
	vendor_country TEXT NOT NULL,
	product TEXT NOT NULL,
	product_version TEXT NOT NULL,
	address TEXT NOT NULL, -- the host's latest
	who TEXT NOT NULL, -- the host, JSON
	host_role INTEGER NOT NULL,
	host_roles TEXT NOT NULL,
	behind TEXT NOT NULL,
	oem TEXT NOT NULL,
	verdict INTEGER NOT NULL,
	state INTEGER NOT NULL,
	concern INTEGER NOT NULL, -- by the policy that ran
	rule TEXT NOT NULL,
	severity INTEGER NOT NULL,
	why TEXT NOT NULL,
	first_seen BIGINT NOT NULL,
	last_seen BIGINT NOT NULL,
	contacts BIGINT NOT NULL,
	lookups BIGINT NOT NULL,
	dropped BIGINT NOT NULL,
	reasons TEXT NOT NULL
);
CREATE INDEX findings_last_seen ON findings (last_seen);
CREATE INDEX findings_vendor ON findings (vendor);

CREATE TABLE evidence (
	finding TEXT NOT NULL,
	sign TEXT NOT NULL, -- hash of kind, value, role and side
	position INTEGER NOT NULL, -- of what speaks against; 0 for the rest, which sorts by weight
	kind INTEGER NOT NULL,
	value TEXT NOT NULL,
	role INTEGER NOT NULL,
	strength INTEGER NOT NULL,
	supports INTEGER NOT NULL,
	weight DOUBLE PRECISION NOT NULL,
	seen BIGINT NOT NULL,
	first_seen BIGINT NOT NULL,
	last_seen BIGINT NOT NULL,
	frames TEXT NOT NULL,
	source TEXT NOT NULL,
	source_date TEXT NOT NULL,
	pattern TEXT NOT NULL,
	file TEXT NOT NULL,
	line BIGINT NOT NULL,
	note TEXT NOT NULL,
	why TEXT NOT NULL,
	PRIMARY KEY (finding, sign)
);

CREATE TABLE destinations (
	finding TEXT NOT NULL,
	address TEXT NOT NULL,
	port INTEGER NOT NULL,
	names TEXT NOT NULL,
	asn BIGINT NOT NULL,
	owner TEXT NOT NULL,
	rtt BIGINT NOT NULL, -- nanoseconds
	contacts BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	proxy INTEGER NOT NULL,
	level INTEGER NOT NULL,
	country TEXT NOT NULL,
	city TEXT NOT NULL,
	place TEXT NOT NULL, -- all of it, JSON
	PRIMARY KEY (finding, address, port)
);
CREATE INDEX destinations_address ON destinations (address);

-- The beat of one role, and the ring of session starts that it is judged from.
CREATE TABLE beats (
	finding TEXT NOT NULL,
	role INTEGER NOT NULL,
	score DOUBLE PRECISION NOT NULL,
	scored INTEGER NOT NULL,
	period BIGINT NOT NULL, -- nanoseconds
	sessions BIGINT NOT NULL,
	words TEXT NOT NULL,
	starts TEXT NOT NULL, -- the first in seconds since 1970, then the seconds between them
	PRIMARY KEY (finding, role)
);

CREATE TABLE contact_hours (
	finding TEXT NOT NULL,
	hour BIGINT NOT NULL,
	contacts BIGINT NOT NULL,
	lookups BIGINT NOT NULL,
	PRIMARY KEY (finding, hour)
);
CREATE INDEX contact_hours_hour ON contact_hours (hour);

CREATE TABLE alerts (
	id TEXT NOT NULL PRIMARY KEY,
	finding TEXT NOT NULL,
	rule TEXT NOT NULL,
	severity INTEGER NOT NULL,
	state TEXT NOT NULL,
	changed BIGINT NOT NULL, -- packet time
	told BIGINT NOT NULL, -- when the spool had it; 0: not yet
	body TEXT NOT NULL
);
CREATE INDEX alerts_finding ON alerts (finding);
CREATE INDEX alerts_changed ON alerts (changed);

CREATE TABLE suppressions (
	id TEXT NOT NULL PRIMARY KEY,
	made BIGINT NOT NULL,
	until BIGINT NOT NULL, -- 0: for good
	body TEXT NOT NULL
);

CREATE TABLE coverage_hours (
	sensor TEXT NOT NULL,
	hour BIGINT NOT NULL,
	seconds BIGINT NOT NULL, -- in which the tap was read
	packets BIGINT NOT NULL,
	bytes BIGINT NOT NULL,
	kernel_drops BIGINT NOT NULL,
	own_drops BIGINT NOT NULL,
	PRIMARY KEY (sensor, hour)
);

CREATE TABLE catalogs (
	sha256 TEXT NOT NULL PRIMARY KEY,
	date TEXT NOT NULL,
	entries BIGINT NOT NULL,
	first_used BIGINT NOT NULL,
	last_used BIGINT NOT NULL
);

CREATE TABLE runs (
	id BIGINT NOT NULL PRIMARY KEY,
	began BIGINT NOT NULL,
	version TEXT NOT NULL,
	coverage TEXT NOT NULL -- JSON, as in the report
);

CREATE TABLE inputs (
	id BIGINT NOT NULL PRIMARY KEY, -- what frames call it
	run BIGINT NOT NULL,
	file TEXT NOT NULL,
	sha256 TEXT NOT NULL,
	size BIGINT NOT NULL,
	packets BIGINT NOT NULL,
	bytes BIGINT NOT NULL,
	drops BIGINT NOT NULL,
	first_time BIGINT NOT NULL,
	last_time BIGINT NOT NULL,
	truncated INTEGER NOT NULL,
	error TEXT NOT NULL
);
CREATE INDEX inputs_sha256 ON inputs (sha256);
