-- Each query has the name of the line before it. Parameters are $1, $2 ... in the order in which they first stand, as
-- SQLite and PostgreSQL both number them.

-- name: meta.get
SELECT value FROM meta WHERE name = $1;
-- name: meta.put
INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: host.put
INSERT INTO hosts (sensor, host, address, mac, name, vlans, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (sensor, host) DO UPDATE SET address = excluded.address, mac = excluded.mac, name = excluded.name, vlans = excluded.vlans, last_seen = excluded.last_seen;
-- name: host.name
INSERT INTO host_names (sensor, host, kind, value, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (sensor, host, kind, value) DO UPDATE SET last_seen = excluded.last_seen WHERE excluded.last_seen > host_names.last_seen;
-- name: host.names
SELECT kind, value, first_seen, last_seen FROM host_names WHERE sensor = $1 AND host = $2 ORDER BY first_seen, kind, value;

-- name: state.put
INSERT INTO states (sensor, host, vendor, saved, data) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sensor, host, vendor) DO UPDATE SET saved = excluded.saved, data = excluded.data;
-- name: state.all
SELECT s.host, s.vendor, s.data FROM states s LEFT JOIN hosts h ON h.sensor = s.sensor AND h.host = s.host
WHERE s.sensor = $1 ORDER BY h.last_seen DESC, s.host, s.vendor;

-- name: state.of
SELECT s.host, s.vendor, s.data FROM states s LEFT JOIN hosts h ON h.sensor = s.sensor AND h.host = s.host
WHERE s.sensor = $1 AND (s.host = '' OR s.host IN (SELECT x.host FROM hosts x WHERE x.sensor = $1
	ORDER BY EXISTS (SELECT 1 FROM states v WHERE v.sensor = x.sensor AND v.host = x.host AND v.vendor <> '') DESC, x.last_seen DESC, x.host
	LIMIT $2))
ORDER BY h.last_seen DESC, s.host, s.vendor;

-- name: finding.put
INSERT INTO findings (id, sensor, vendor, vendor_name, vendor_country, product, product_version, address, who, host_role, host_roles,
	behind, oem, verdict, state, concern, rule, severity, why, first_seen, last_seen, contacts, lookups, dropped, reasons)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)
ON CONFLICT (id) DO UPDATE SET vendor_name = excluded.vendor_name, vendor_country = excluded.vendor_country, product = excluded.product,
	product_version = excluded.product_version, address = excluded.address, who = excluded.who, host_role = excluded.host_role,
	host_roles = excluded.host_roles, behind = excluded.behind, oem = excluded.oem, verdict = excluded.verdict, state = excluded.state,
	concern = excluded.concern, rule = excluded.rule, severity = excluded.severity, why = excluded.why, first_seen = excluded.first_seen,
	last_seen = excluded.last_seen, contacts = excluded.contacts, lookups = excluded.lookups, dropped = excluded.dropped,
	reasons = excluded.reasons;
-- name: finding.all
SELECT id, vendor, vendor_name, vendor_country, product, product_version, who, host_role, host_roles, behind, oem, verdict, state,
	concern, rule, severity, why, first_seen, last_seen, contacts, lookups, dropped, reasons
FROM findings WHERE sensor = $1;
-- name: finding.counts
SELECT id, contacts, lookups, last_seen FROM findings WHERE sensor = $1;

-- name: evidence.put
INSERT INTO evidence (finding, sign, position, kind, value, role, strength, supports, weight, seen, first_seen, last_seen, frames,
	source, source_date, pattern, file, line, note, why)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (finding, sign) DO UPDATE SET position = excluded.position, strength = excluded.strength, weight = excluded.weight,
	seen = excluded.seen, first_seen = excluded.first_seen, last_seen = excluded.last_seen, frames = excluded.frames,
	source = excluded.source, source_date = excluded.source_date, pattern = excluded.pattern, file = excluded.file,
	line = excluded.line, note = excluded.note, why = excluded.why;
-- name: evidence.drop
DELETE FROM evidence WHERE finding = $1 AND sign = $2;
-- name: evidence.clear
DELETE FROM evidence WHERE finding = $1;
-- name: evidence.all
SELECT e.finding, e.kind, e.value, e.role, e.strength, e.supports, e.weight, e.seen, e.first_seen, e.last_seen, e.frames, e.source,
	e.source_date, e.pattern, e.file, e.line, e.note, e.why
FROM evidence e JOIN findings f ON f.id = e.finding WHERE f.sensor = $1 ORDER BY e.finding, e.position, e.weight DESC, e.kind, e.sign;

-- name: destination.put
INSERT INTO destinations (finding, address, port, names, asn, owner, rtt, contacts, failed, proxy, level, country, city, place)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (finding, address, port) DO UPDATE SET names = excluded.names, asn = excluded.asn, owner = excluded.owner, rtt = excluded.rtt,
	contacts = excluded.contacts, failed = excluded.failed, proxy = excluded.proxy, level = excluded.level, country = excluded.country,
	city = excluded.city, place = excluded.place;
-- name: destination.all
SELECT d.finding, d.address, d.port, d.names, d.asn, d.owner, d.rtt, d.contacts, d.failed, d.proxy, d.place
FROM destinations d JOIN findings f ON f.id = d.finding WHERE f.sensor = $1;

-- name: beat.put
INSERT INTO beats (finding, role, score, scored, period, sessions, words, starts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (finding, role) DO UPDATE SET score = excluded.score, scored = excluded.scored, period = excluded.period,
	sessions = excluded.sessions, words = excluded.words, starts = excluded.starts;
-- name: beat.all
SELECT b.finding, b.role, b.score, b.scored, b.period, b.sessions, b.words
FROM beats b JOIN findings f ON f.id = b.finding WHERE f.sensor = $1 ORDER BY b.finding, b.role;
-- name: beat.starts
SELECT role, starts FROM beats WHERE finding = $1 ORDER BY role;

-- name: hour.add
INSERT INTO contact_hours (finding, hour, contacts, lookups) VALUES ($1, $2, $3, $4)
ON CONFLICT (finding, hour) DO UPDATE SET contacts = contact_hours.contacts + excluded.contacts, lookups = contact_hours.lookups + excluded.lookups;
-- name: hour.all
SELECT hour, contacts, lookups FROM contact_hours WHERE finding = $1 AND hour >= $2 ORDER BY hour;

-- name: alert.put
INSERT INTO alerts (id, finding, rule, severity, state, changed, told, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, state = excluded.state, changed = excluded.changed,
	told = CASE WHEN excluded.told = 0 THEN alerts.told ELSE excluded.told END, body = excluded.body;
-- name: alert.of
SELECT id, finding, rule, severity, state, changed, told, body FROM alerts WHERE finding = $1 ORDER BY changed, id;
-- name: alert.all
SELECT id, finding, rule, severity, state, changed, told, body FROM alerts ORDER BY changed, id;

-- name: suppression.put
INSERT INTO suppressions (id, made, until, body) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET made = excluded.made, until = excluded.until, body = excluded.body;
-- name: suppression.drop
DELETE FROM suppressions WHERE id = $1;
-- name: suppression.all
SELECT id, made, until, body FROM suppressions ORDER BY made, id;

-- name: coverage.add
INSERT INTO coverage_hours (sensor, hour, seconds, packets, bytes, kernel_drops, own_drops) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (sensor, hour) DO UPDATE SET seconds = coverage_hours.seconds + excluded.seconds, packets = coverage_hours.packets + excluded.packets,
	bytes = coverage_hours.bytes + excluded.bytes, kernel_drops = coverage_hours.kernel_drops + excluded.kernel_drops,
	own_drops = coverage_hours.own_drops + excluded.own_drops;
-- name: coverage.all
SELECT hour, seconds, packets, bytes, kernel_drops, own_drops FROM coverage_hours WHERE sensor = $1 AND hour >= $2 ORDER BY hour;

-- name: catalog.put
INSERT INTO catalogs (sha256, date, entries, first_used, last_used) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sha256) DO UPDATE SET last_used = excluded.last_used;
-- name: catalog.all
SELECT sha256, date, entries, first_used, last_used FROM catalogs ORDER BY first_used, sha256;

-- name: run.next
SELECT COALESCE(MAX(id), 0) + 1 FROM runs;
-- name: run.put
INSERT INTO runs (id, began, version, coverage) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET coverage = excluded.coverage;
-- name: run.all
SELECT id, began, version, coverage FROM runs ORDER BY id;

-- name: input.next
SELECT COALESCE(MAX(id), -1) + 1 FROM inputs;
-- name: input.put
INSERT INTO inputs (id, run, file, sha256, size, packets, bytes, drops, first_time, last_time, truncated, error)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (id) DO UPDATE SET packets = excluded.packets, bytes = excluded.bytes, drops = excluded.drops, first_time = excluded.first_time,
	last_time = excluded.last_time, truncated = excluded.truncated, error = excluded.error;
-- name: input.all
SELECT id, run, file, sha256, size, packets, bytes, drops, first_time, last_time, truncated, error FROM inputs ORDER BY id;

-- name: unmatched.add
INSERT INTO unmatched (sensor, host, day, kind, value, seen, first_seen, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (sensor, host, day, kind, value) DO UPDATE SET seen = unmatched.seen + excluded.seen, last_seen = excluded.last_seen;
-- name: unmatched.values
SELECT DISTINCT kind, value FROM unmatched WHERE sensor = $1 ORDER BY kind, value;
-- name: unmatched.of
SELECT host, day, kind, value, seen, first_seen, last_seen FROM unmatched WHERE sensor = $1 AND kind = $2 AND value = $3 ORDER BY day, host;

-- name: forget.finding
DELETE FROM findings WHERE id = $1;
-- name: forget.evidence
DELETE FROM evidence WHERE finding = $1;
-- name: forget.destinations
DELETE FROM destinations WHERE finding = $1;
-- name: forget.beats
DELETE FROM beats WHERE finding = $1;
-- name: forget.hours
DELETE FROM contact_hours WHERE finding = $1;
-- name: forget.alerts
DELETE FROM alerts WHERE finding = $1 AND sequence <= (SELECT COALESCE(MIN(position), 0) FROM sinks);

-- name: old.findings
SELECT id FROM findings WHERE last_seen < $1 ORDER BY last_seen;
-- name: oldest.findings
SELECT id FROM findings ORDER BY last_seen, id LIMIT $1;
-- name: old.hours
DELETE FROM contact_hours WHERE hour < $1;
-- name: old.coverage
DELETE FROM coverage_hours WHERE hour < $1;
-- name: old.unmatched
DELETE FROM unmatched WHERE day < $1;
-- name: old.names
DELETE FROM host_names WHERE last_seen < $1;
-- name: old.alerts
DELETE FROM alerts WHERE changed < $1 AND sequence <= (SELECT COALESCE(MIN(position), 0) FROM sinks)
AND (state = 'resolved' OR NOT EXISTS (SELECT 1 FROM findings f WHERE f.id = alerts.finding));

-- name: old.states
DELETE FROM states WHERE host <> '' AND NOT EXISTS (SELECT 1 FROM hosts h WHERE h.sensor = states.sensor AND h.host = states.host);
-- name: old.hosts
DELETE FROM hosts WHERE last_seen < $1;
-- name: old.idle
DELETE FROM hosts WHERE last_seen < $1 AND NOT EXISTS (SELECT 1 FROM states s WHERE s.sensor = hosts.sensor AND s.host = hosts.host AND s.vendor <> '');
-- name: old.addresses
DELETE FROM host_names WHERE NOT EXISTS (SELECT 1 FROM hosts h WHERE h.sensor = host_names.sensor AND h.host = host_names.host);
-- name: span.idle
SELECT COALESCE(MIN(last_seen), 0), COALESCE(MAX(last_seen), 0) FROM hosts
WHERE NOT EXISTS (SELECT 1 FROM states s WHERE s.sensor = hosts.sensor AND s.host = hosts.host AND s.vendor <> '');
-- name: span.hours
SELECT COALESCE(MIN(hour), 0), COALESCE(MAX(hour), 0) FROM contact_hours;
-- name: span.unmatched
SELECT COALESCE(MIN(day), 0), COALESCE(MAX(day), 0) FROM unmatched;

-- name: alert.send
INSERT INTO alerts (id, finding, rule, severity, state, changed, told, body, sequence, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, state = excluded.state, changed = excluded.changed, told = excluded.told,
	body = excluded.body, sequence = excluded.sequence, size = excluded.size
WHERE alerts.told = 0;

-- name: outbox.next
SELECT sequence, told, body FROM alerts WHERE sequence > $1 ORDER BY sequence LIMIT $2;

-- name: outbox.between
SELECT COUNT(*) FROM alerts WHERE sequence > $1 AND sequence < $2;

-- name: outbox.blocks
SELECT MAX(sequence), COUNT(*), SUM(size) FROM alerts WHERE sequence > $1 GROUP BY sequence / $2;

-- name: outbox.least
SELECT sequence, size FROM alerts WHERE severity = $1 AND sequence > $2 ORDER BY sequence LIMIT $3;

-- name: outbox.drop
DELETE FROM alerts WHERE sequence = $1;

-- name: sink.add
INSERT INTO sinks (position, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING;

-- name: sink.put
UPDATE sinks SET position = $1 WHERE name = $2 AND position < $1;

-- name: sink.all
SELECT name, position FROM sinks ORDER BY name;

-- name: dead.put
INSERT INTO dead_letters (sink, sequence, rejected, reason, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (sink, sequence) DO UPDATE SET rejected = excluded.rejected, reason = excluded.reason;

-- name: dead.of
SELECT sequence, rejected, reason, body FROM dead_letters WHERE sink = $1 AND sequence > $2 ORDER BY sequence LIMIT $3;

-- name: dead.drop
DELETE FROM dead_letters WHERE sink = $1 AND sequence = $2;

-- name: dead.bytes
SELECT COALESCE(SUM(LENGTH(body)), 0) FROM dead_letters;

-- name: dead.oldest
SELECT sink, sequence, LENGTH(body) FROM dead_letters ORDER BY rejected, sequence, sink;
