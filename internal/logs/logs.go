// Package logs makes the daemon's logger: log entries go in, lines for people or JSON for machines come out. A storm of
// similar lines is reduced to a few lines and a count. Start reading at New; fold.go does the counting.
package logs

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"avbeacon/internal/setting"
)

// Config is the section log of the configuration. The tag about is what --print-config shows above a key.
type Config struct {
	Level  string `yaml:"level" about:"debug, info, warn, error"`
	Format string `yaml:"format" about:"console or json; auto: console on a terminal, else json"`
}

// Check reports what is wrong with the section.
func (c *Config) Check(k setting.Check) {
	k.At("level").Word(c.Level, "debug", "info", "warn", "error")
	k.At("format").Word(c.Format, "auto", "console", "json")
}

// Limits per minute: five lines with the same message and text fields, fifty lines with the same message. The rest becomes
// one line with a count at the end of the minute.
const (
	interval   = time.Minute
	alike      = 5
	sameWords  = 50
	maxWindows = 1024 // kinds of lines that are counted separately at a time
)

// New makes a logger that writes to w. With format auto, it writes lines for people if w is a terminal, else JSON. An
// unknown level means info. The logger's Sync writes the pending counts; call it at the end.
func New(cfg Config, w io.Writer, terminal bool) *zap.Logger {
	level, err := zapcore.ParseLevel(cfg.Level)
	if err != nil {
		level = zapcore.InfoLevel
	}
	out := zapcore.Lock(zapcore.AddSync(struct{ io.Writer }{w})) // hides Sync: fsync fails on a terminal or pipe
	core := zapcore.NewCore(encoder(cfg.Format, terminal), out, level)
	return zap.New(newFold(core), zap.ErrorOutput(out))
}

func encoder(format string, terminal bool) zapcore.Encoder {
	c := zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "message", StacktraceKey: "stack",
		LineEnding: "\n", EncodeTime: utc(time.RFC3339Nano), EncodeLevel: zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder, EncodeName: zapcore.FullNameEncoder,
	}
	if format == "json" || format != "console" && !terminal {
		return zapcore.NewJSONEncoder(c)
	}
	c.EncodeTime, c.EncodeLevel, c.ConsoleSeparator = utc("2006-01-02T15:04:05.000Z07:00"), zapcore.CapitalLevelEncoder, "  "
	return zapcore.NewConsoleEncoder(c)
}

// utc writes times in UTC, whatever zone the machine is in.
func utc(layout string) zapcore.TimeEncoder {
	return func(t time.Time, to zapcore.PrimitiveArrayEncoder) { to.AppendString(t.UTC().Format(layout)) }
}
