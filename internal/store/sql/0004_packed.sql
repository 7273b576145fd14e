-- From here on alerts.body holds bytes: see body.go. Alerts that wait are counted in memory, so that one index serves the sinks and the limit.
DROP INDEX alerts_sequence;
DROP INDEX alerts_severity;
DROP INDEX alerts_changed;
CREATE INDEX alerts_outbox ON alerts (sequence, severity, size);
