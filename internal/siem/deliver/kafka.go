package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
)

// Bounds of what is produced at once, where the configuration sets none. A single record may have kafkaRecord bytes, the
// brokers' own default (message.max.bytes); a topic may allow less.
const (
	kafkaBatch  = 500
	kafkaBytes  = 4 << 20
	kafkaRecord = 1_000_000
)

// Kafka is a topic.
type Kafka struct {
	Brokers  []string       `yaml:"brokers" about:"host:port of some brokers"`
	Topic    string         `yaml:"topic" about:"topic"`
	TLS      bool           `yaml:"tls" about:"use TLS"`
	SASL     string         `yaml:"sasl" about:"plain, scram-sha-256, scram-sha-512; empty: none"`
	User     string         `yaml:"user" about:"for SASL"`
	Password setting.Secret `yaml:"password" about:"${NAME} or file:PATH, for SASL"`
}

// Check reports what is wrong with the section.
func (c *Kafka) Check(k setting.Check) {
	if len(c.Brokers) == 0 {
		k.At("brokers").Fail("is missing")
	}
	for i, b := range c.Brokers {
		k.At("brokers").Index(i).HostPort(b, false)
	}
	k.At("topic").Required(c.Topic)
	k.At("sasl").WordOrNone(c.SASL, "plain", "scram-sha-256", "scram-sha-512")
	if c.SASL != "" && (c.User == "" || c.Password == "") {
		k.At("sasl").Fail("needs user and password")
	}
	if c.SASL == "" && (c.User != "" || c.Password != "") {
		k.At("sasl").Fail("is missing beside user or password")
	}
}

// Plain reports whether a password can be read on the path. Kafka is often on a network of its own, so alerts alone do not
// count.
func (c *Kafka) Plain() bool { return !c.TLS && c.Password != "" }

// kafka produces alerts to a topic: idempotent, acknowledged by all replicas in sync. The key keeps all of a host in one
// partition, in order. The header avbeacon-id holds the alert's id, by which a consumer knows one that came twice.
type kafka struct {
	courier
	client  *kgo.Client
	topic   string
	timeout time.Duration
	keys    map[string]string   // of the batch at hand, by alert
	ahead   map[string]struct{} // acknowledged behind one that was not: not to be produced again
	sound   bool                // the last exchange went well: no need to knock first
	knocks  sync.WaitGroup
}

// Open makes the sink; the first delivery connects.
func (c *Kafka) Open(s Setup) (alert.Sink, error) {
	if s.Proxy != "" {
		return nil, errors.New("proxy: is not possible for kafka")
	}
	encode, err := s.encoder()
	if err != nil {
		return nil, err
	}
	options, err := c.clientOptions(s)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	k := &kafka{client: client, topic: c.Topic, timeout: s.Timeout, ahead: map[string]struct{}{}}
	k.courier = courier{encode: encode, most: cmp.Or(s.Batch, kafkaBatch), limit: kafkaBytes, send: k.produce, end: func() {
		client.Close()
		k.knocks.Wait()
	}}
	return k, nil
}

func (c *Kafka) clientOptions(s Setup) ([]kgo.Opt, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("avbeacon"),
		kgo.SoftwareNameAndVersion("avbeacon", softwareVersion(s.Version)),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(kafkaRecord),
		kgo.DialTimeout(dialTimeout),
		kgo.MetadataMinAge(time.Second), // a cluster that comes back is found again soon
		kgo.RequestRetries(2),
		kgo.RetryTimeout(s.Timeout),
		kgo.RequestTimeoutOverhead(min(max(s.Timeout, time.Second), dialTimeout)),
		kgo.RecordDeliveryTimeout(max(s.Timeout, time.Second)), // the library wants a second at least
		// Without it a broker that never answers would hold Deliver for ever. What is produced again has the same id.
		kgo.AllowIdempotentProduceCancellation(),
	}
	if c.TLS {
		trust, err := clientTLS(s.TLS, s.Logger)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(trust))
	}
	user, password := c.User, c.Password.Reveal()
	switch c.SASL {
	case "plain":
		options = append(options, kgo.SASL(saslplain.Auth{User: user, Pass: password}.AsMechanism()))
		if !c.TLS {
			s.Logger.Warn("the password is sent to the brokers unencrypted: set kafka.tls, or use scram-sha-512")
		}
	case "scram-sha-256":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism()))
	case "scram-sha-512":
		options = append(options, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
	}
	return options, nil
}

// softwareVersion has what KIP-511 allows.
func softwareVersion(version string) string {
	if version = strings.Trim(version, "-."); version == "" || strings.ContainsFunc(version, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", r)
	}) {
		return "unknown"
	}
	return version
}

// Deliver produces a batch and waits for all acknowledgements.
func (k *kafka) Deliver(ctx context.Context, batch []*alert.Alert) (int, []alert.Rejection, error) {
	k.keys = make(map[string]string, len(batch))
	for _, a := range batch {
		k.keys[a.ID] = kafkaKey(a)
	}
	maps.DeleteFunc(k.ahead, func(id string, _ struct{}) bool { _, ok := k.keys[id]; return !ok })
	return k.courier.Deliver(ctx, batch)
}

// kafkaKey is what stays the same for a host, so that all of its alerts go to one partition.
func kafkaKey(a *alert.Alert) string {
	switch {
	case a.Host.MAC != "":
		return a.Host.MAC
	case a.Host.Address.IsValid():
		return a.Host.Address.Unmap().WithZone("").String()
	}
	return a.Finding
}

// produce hands a part to the client and waits for the fate of each record.
func (k *kafka) produce(ctx context.Context, part []item) (int, []alert.Rejection, error) {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	if err := k.knock(ctx); err != nil {
		return 0, nil, err
	}
	fates := k.fates(ctx, part)
	for i, err := range fates {
		if err == nil {
			continue
		}
		k.remember(part[i:], fates[i:])
		k.sound = false
		return i, nil, k.judge(err)
	}
	k.sound = true
	return len(part), nil, nil
}

// knock sends a broker a small request if the last exchange failed, because its error shows the cause. A record's error
// would only say that the timeout has expired.
func (k *kafka) knock(ctx context.Context) error {
	if k.sound {
		return nil
	}
	said := make(chan error, 1) // a connection that is being made does not end with its context
	k.knocks.Go(func() { said <- k.client.Ping(ctx) })
	select {
	case err := <-said:
		if err != nil {
			return k.judge(err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kafka: no broker answers: %w", ctx.Err())
	}
}

// fates produces the records that are not acknowledged yet, waits for all of them, and returns the error of each.
func (k *kafka) fates(ctx context.Context, part []item) []error {
	fates := make([]error, len(part))
	var pending sync.WaitGroup
	for i, one := range part {
		if _, ok := k.ahead[one.id]; ok {
			continue
		}
		pending.Add(1)
		record := &kgo.Record{Topic: k.topic, Key: []byte(k.keys[one.id]), Value: one.body,
			Headers: []kgo.RecordHeader{{Key: "avbeacon-id", Value: []byte(one.id)}}}
		k.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			fates[i] = err
			pending.Done()
		})
	}
	pending.Wait()
	return fates
}

// remember notes what was acknowledged behind a record that was not.
func (k *kafka) remember(part []item, fates []error) {
	for i, err := range fates {
		if err == nil {
			k.ahead[part[i].id] = struct{}{}
		}
	}
}

// judge sorts errors. Brokers name a whole record batch when one record is too large, so that is found out by halves.
func (k *kafka) judge(err error) error {
	err = explainTLS(err)
	var credentials *kgo.ErrFirstReadEOF // a broker that hangs up at once: it wants TLS or SASL, or has neither
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge), errors.Is(err, kerr.InvalidRecord):
		return &partRejected{at: -1, reason: "kafka: " + err.Error()}
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.InvalidTopicException), tlsWords(err) != "":
		return &Denied{fmt.Errorf("kafka: topic %s: %w", k.topic, err)}
	case errors.As(err, &credentials):
		return fmt.Errorf("kafka: %w (does it require TLS or SASL, or support neither?)", err)
	}
	return fmt.Errorf("kafka: %w", err)
}
