package deliver

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"avbeacon/internal/alert"
	"avbeacon/internal/setting"
	"avbeacon/internal/siem/samples"
	"avbeacon/internal/testkit/loopback"
)

// These tests run against kfake, the stand-in for a cluster by the makers of the client. It speaks the protocol over TCP,
// but it is not a broker: these tests do not show how a real one behaves.
func kafkaCluster(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(4, "alerts")}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func kafkaSink(c *kfake.Cluster) Sink {
	return Sink{Name: "log", Type: "kafka", Timeout: 5 * time.Second, Kafka: Kafka{Brokers: c.ListenAddrs(), Topic: "alerts"}}
}

// consumed reads so many records from the start of the topic, and gives the ids of each partition in order.
func consumed(t *testing.T, want int, opts ...kgo.Opt) map[int32][]string {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	parts := map[int32][]string{}
	for n := 0; n < want; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			require.Equal(t, "avbeacon-id", r.Headers[0].Key)
			require.Equal(t, alertID(r.Value), string(r.Headers[0].Value))
			parts[r.Partition] = append(parts[r.Partition], alertID(r.Value))
			n++
		})
	}
	return parts
}

// together are the ids of all partitions, sorted.
func together(parts map[int32][]string) []string {
	var all []string
	for _, ids := range parts {
		all = append(all, ids...)
	}
	return sorted(all)
}

// ofTwoHosts gives the alerts two hosts, in turn, of which the second is known by its MAC.
func ofTwoHosts(batch []*alert.Alert) []*alert.Alert {
	for i, a := range batch {
		if i%2 == 1 {
			a.Host.MAC = "02:00:5e:10:00:2b"
		}
	}
	return batch
}

func TestKafkaKeepsTheOrderOfAHost(t *testing.T) {
	c := kafkaCluster(t)
	delivered(t, opened(t, kafkaSink(c), Options{Version: "1.2.3"}), ofTwoHosts(samples.Numbered(0, 1200)))
	parts := consumed(t, 1200, kgo.SeedBrokers(c.ListenAddrs()...))
	require.Equal(t, idRange(0, 1200), together(parts))
	require.LessOrEqual(t, len(parts), 2, "one partition a host")
	for _, ids := range parts {
		require.IsIncreasing(t, ids)
	}
}

func TestKafkaKeys(t *testing.T) {
	a := samples.Numbered(0, 1)[0]
	require.Equal(t, "10.0.0.5", kafkaKey(a))
	a.Host.MAC = "02:00:5e:10:00:2a"
	require.Equal(t, a.Host.MAC, kafkaKey(a))
	require.Equal(t, "f1", kafkaKey(&alert.Alert{Finding: "f1"}))
}

// An alert that is too large for a record is rejected alone: by the client's bound, and by the topic's, which brokers tell
// for the whole batch.
func TestKafkaTooLarge(t *testing.T) {
	c := kafkaCluster(t)
	c.ControlKey(int16(kmsg.Produce), tooLargeOver(c, 9000))
	batch := samples.Numbered(0, 60)
	for _, i := range []int{0, 7, 59} {
		batch[i].Evidence = []alert.Evidence{{Kind: "tls_sni", Value: longValue(), Strength: "strong"}, {Kind: "tls_sni", Value: longValue(), Strength: "strong"}}
		for range 8 {
			batch[i].Reasons = append(batch[i].Reasons, longValue())
		}
	}
	n, rejected, err := opened(t, kafkaSink(c), Options{}).Deliver(t.Context(), batch)
	require.NoError(t, err)
	require.Equal(t, 60, n)
	var at []int
	for _, r := range rejected {
		at = append(at, r.Index)
		require.Contains(t, r.Reason, "MESSAGE_TOO_LARGE")
	}
	require.Equal(t, []int{0, 7, 59}, at)
	want := append(idRange(1, 7), idRange(8, 59)...)
	require.Equal(t, want, together(consumed(t, len(want), kgo.SeedBrokers(c.ListenAddrs()...))))
}

// longValue does not pack well.
func longValue() string {
	var b strings.Builder
	for x := uint64(time.Now().UnixNano()); b.Len() < 1000; x = x*6364136223846793005 + 1442695040888963407 {
		b.WriteString(string(rune('!' + x>>58)))
	}
	return b.String()
}

// tooLargeOver answers as a topic with so small a max.message.bytes does.
func tooLargeOver(c *kfake.Cluster, most int) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		produce := q.(*kmsg.ProduceRequest)
		for _, topic := range produce.Topics {
			for _, p := range topic.Partitions {
				if len(p.Records) > most {
					return produceError(produce, kerr.MessageTooLarge.Code), nil, true
				}
			}
		}
		return nil, nil, false
	}
}

func produceError(q *kmsg.ProduceRequest, code int16) kmsg.Response {
	r := q.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range q.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic, t.TopicID = topic.Topic, topic.TopicID
		for _, p := range topic.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode = p.Partition, code
			t.Partitions = append(t.Partitions, one)
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

// The brokers are gone in mid-stream, and come back at the same ports with what they had: nothing is missing.
func TestKafkaBrokersRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var ports []int
	for range 3 {
		ports = append(ports, loopback.FreePort(t))
	}
	same := []kfake.Opt{kfake.Ports(ports...), kfake.DataDir(dir), kfake.SyncWrites()}
	first := kafkaCluster(t, same...)
	cfg := kafkaSink(first)
	cfg.Timeout = 2 * time.Second
	sink := opened(t, cfg, Options{})
	var gone atomic.Bool
	done := 0
	for all := ofTwoHosts(samples.Numbered(0, 2000)); done < len(all); {
		n, rejected, err := sink.Deliver(t.Context(), all[done:min(done+50, len(all))])
		require.Empty(t, rejected)
		if done += n; err != nil {
			break
		}
		if done >= 500 && !gone.Swap(true) {
			go first.Close()
		}
	}
	require.Less(t, done, 2000, "they went in mid-stream")
	began := time.Now()
	_, _, err := sink.Deliver(t.Context(), samples.Numbered(done, done+1))
	require.Error(t, err, "nobody is there")
	require.Less(t, time.Since(began), slow)
	second := kafkaCluster(t, same...)
	require.Empty(t, untilDone(t, sink, ofTwoHosts(samples.Numbered(0, 2000))[done:]))
	seen := consumed(t, 2000, kgo.SeedBrokers(second.ListenAddrs()...))
	require.Subset(t, together(seen), idRange(0, 2000))
}

// What is acknowledged behind a record that is not does not come twice.
func TestKafkaDoesNotRepeatWhatIsThere(t *testing.T) {
	c := kafkaCluster(t)
	var sick atomic.Int32
	sick.Store(-1)
	c.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		produce := q.(*kmsg.ProduceRequest)
		for _, topic := range produce.Topics {
			for _, p := range topic.Partitions {
				if p.Partition == sick.Load() {
					return produceError(produce, kerr.TopicAuthorizationFailed.Code), nil, true
				}
			}
		}
		return nil, nil, false
	})
	sink := opened(t, kafkaSink(c), Options{})
	delivered(t, sink, ofTwoHosts(samples.Numbered(0, 2)))
	parts := consumed(t, 2, kgo.SeedBrokers(c.ListenAddrs()...))
	require.Len(t, parts, 2, "two partitions, of which one is sick")
	for partition, ids := range parts {
		if ids[0] == "a0000" {
			sick.Store(partition)
		}
	}
	n, rejected, err := sink.Deliver(t.Context(), ofTwoHosts(samples.Numbered(2, 42)))
	var denied *Denied
	require.ErrorAs(t, err, &denied)
	require.Zero(t, n, "the first is of the host whose partition is sick")
	require.Empty(t, rejected)
	sick.Store(-1)
	delivered(t, sink, ofTwoHosts(samples.Numbered(2, 42))[n:])
	require.Equal(t, idRange(0, 42), together(consumed(t, 42, kgo.SeedBrokers(c.ListenAddrs()...))))
}

func TestKafkaNoSuchTopic(t *testing.T) {
	t.Parallel()
	cfg := kafkaSink(kafkaCluster(t))
	cfg.Kafka.Topic = "elsewhere"
	n, rejected, err := opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	var denied *Denied
	require.ErrorAs(t, err, &denied)
	require.Zero(t, n)
	require.Empty(t, rejected)
}

func TestKafkaSASLAndTLS(t *testing.T) {
	good := newAuthority(t, "good")
	for name, c := range map[string]struct {
		mechanism, password string
		left                time.Duration
		said                string
	}{
		"plain":          {"plain", "word", time.Hour, ""},
		"scram-sha-256":  {"scram-sha-256", "word", time.Hour, ""},
		"scram-sha-512":  {"scram-sha-512", "word", time.Hour, ""},
		"wrong password": {"scram-sha-512", "the-secret", time.Hour, "SASL_AUTHENTICATION_FAILED"},
		"expired":        {"plain", "word", -time.Minute, "certificate expired on"},
	} {
		t.Run(name, func(t *testing.T) {
			shown := good.sign(t, "127.0.0.1", c.left)
			pair, err := tls.LoadX509KeyPair(shown.Cert, shown.Key)
			require.NoError(t, err)
			cluster := kafkaCluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{pair}}), kfake.EnableSASL(),
				kfake.Superuser(strings.ToUpper(c.mechanism), "sensor", "word"))
			cfg := kafkaSink(cluster)
			if c.password != "word" { // kfake hangs up where a broker gives its reason
				cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(q kmsg.Request) (kmsg.Response, error, bool) {
					cluster.KeepControl()
					r := q.ResponseKind().(*kmsg.SASLAuthenticateResponse)
					r.ErrorCode = kerr.SaslAuthenticationFailed.Code
					return r, nil, true
				})
			}
			cfg.TLS.CA = good.file
			cfg.Kafka.TLS, cfg.Kafka.SASL, cfg.Kafka.User, cfg.Kafka.Password = true, c.mechanism, "sensor", setting.Secret(c.password)
			sink := opened(t, cfg, Options{})
			if c.said == "" {
				delivered(t, sink, samples.Numbered(0, 3))
				return
			}
			_, _, err = sink.Deliver(t.Context(), samples.Numbered(0, 3))
			var denied *Denied
			require.ErrorAs(t, err, &denied)
			require.ErrorContains(t, err, c.said)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestKafkaBrokerSaysNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cfg := Sink{Type: "kafka", Timeout: time.Hour, Kafka: Kafka{Brokers: []string{l.Addr().String()}, Topic: "alerts"}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, err = opened(t, cfg, Options{}).Deliver(ctx, samples.Numbered(0, 3))
	require.Error(t, err)
	require.Less(t, time.Since(began), slow)

	cfg.Timeout, cfg.Kafka.Brokers = 2*time.Second, []string{"log.invalid:9092"}
	_, _, err = opened(t, cfg, Options{}).Deliver(t.Context(), samples.Numbered(0, 3))
	require.ErrorContains(t, err, "log.invalid")
}

// A broker that dies within a produce request does not hold a delivery beyond its time.
func TestKafkaBrokerHangsInARequest(t *testing.T) {
	t.Parallel()
	c := kafkaCluster(t)
	var hangs atomic.Bool
	hangs.Store(true)
	stop := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if hangs.Load() {
			c.SleepControl(func() { <-stop })
		}
		return nil, nil, false
	})
	cfg := kafkaSink(c)
	cfg.Timeout = 500 * time.Millisecond
	sink := opened(t, cfg, Options{})
	began := time.Now()
	n, _, err := sink.Deliver(t.Context(), samples.Numbered(0, 3))
	require.Error(t, err)
	require.Zero(t, n)
	require.Less(t, time.Since(began), slow)
	hangs.Store(false)
	close(stop)
	require.Empty(t, untilDone(t, sink, samples.Numbered(0, 3)))
	require.Subset(t, together(consumed(t, 3, kgo.SeedBrokers(c.ListenAddrs()...))), idRange(0, 3))
}

func TestKafkaConfiguration(t *testing.T) {
	for text, change := range map[string]func(*Sink){
		"kafka.brokers:":            func(c *Sink) { c.Kafka.Brokers = nil },
		"kafka.topic:":              func(c *Sink) { c.Kafka.Topic = "" },
		"kafka.sasl: \"gssapi\" is": func(c *Sink) { c.Kafka.SASL, c.Kafka.User, c.Kafka.Password = "gssapi", "u", "secret" },
		"kafka.sasl: needs user":    func(c *Sink) { c.Kafka.SASL = "plain" },
		"proxy:":                    func(c *Sink) { c.Proxy = "environment" },
		"tls.ca":                    func(c *Sink) { c.Kafka.TLS, c.TLS.CA = true, "/nonexistent" },
		"format:":                   func(c *Sink) { c.Format = "sonnet" },
	} {
		cfg := Sink{Name: "log", Type: "kafka", Kafka: Kafka{Brokers: []string{"x:9092"}, Topic: "alerts"}}
		change(&cfg)
		_, err := Open(cfg, Options{})
		require.ErrorContains(t, err, "sink log: "+text)
		require.NotContains(t, err.Error(), "secret")
	}
	require.Equal(t, "unknown", softwareVersion("a b"))
	require.Equal(t, "1.2-rc1", softwareVersion("1.2-rc1"))
}
