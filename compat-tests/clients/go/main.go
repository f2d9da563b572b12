// The franz-go client under test: franz produce|consume key=value ...
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	options := map[string]string{}
	for _, pair := range os.Args[2:] {
		name, value, _ := strings.Cut(pair, "=")
		options[name] = value
	}
	var err error
	switch verb := os.Args[1]; verb {
	case "produce":
		err = produce(options)
	case "consume":
		err = consume(options)
	default:
		err = fmt.Errorf("no such command: %s", verb)
	}
	if err != nil {
		fail(err)
	}
	tell("done", map[string]any{"command": os.Args[1]})
}

func timeOf(millis int64) time.Time { return time.UnixMilli(millis) }

func produce(options map[string]string) error {
	records, err := readRecords(options["topic"])
	if err != nil {
		return err
	}
	settings := []kgo.Opt{kgo.SeedBrokers(options["bootstrap"]), kgo.AllowAutoTopicCreation()}
	if len(records) > 0 && records[0].Partition >= 0 {
		settings = append(settings, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	codecs := map[string]kgo.CompressionCodec{
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	}
	codec, named := codecs[options["compression"]]
	if !named {
		codec = kgo.NoCompression()
	}
	client, err := kgo.NewClient(append(settings, kgo.ProducerBatchCompression(codec))...)
	if err != nil {
		return err
	}
	defer client.Close()
	results := client.ProduceSync(context.Background(), records...)
	if err := results.FirstErr(); err != nil {
		return err
	}
	for _, record := range records {
		tell("sent", map[string]any{"topic": record.Topic, "partition": record.Partition, "offset": record.Offset})
	}
	return nil
}

// consume reads as a group member until count records came or standard input ends.
func consume(options map[string]string) error {
	ctx, stop := context.WithCancel(context.Background())
	count, _ := strconv.Atoi(options["count"])
	if count == 0 {
		go func() {
			io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	mine := map[string]bool{}
	changed := func(assigned bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			for topic, numbers := range partitions {
				for _, number := range numbers {
					mine[fmt.Sprintf("%s-%d", topic, number)] = assigned
				}
			}
			names := []string{}
			for name, held := range mine {
				if held {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			tell("assigned", map[string]any{"partitions": names})
		}
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(options["bootstrap"]),
		kgo.ConsumerGroup(options["group"]),
		kgo.ConsumeTopics(strings.Split(options["topic"], ",")...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(changed(true)),
		kgo.OnPartitionsRevoked(changed(false)),
		kgo.OnPartitionsLost(changed(false)),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for seen := 0; ctx.Err() == nil && (count == 0 || seen < count); {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			seen++
			printReceived(record)
		})
	}
	return client.CommitUncommittedOffsets(context.Background())
}

func printReceived(record *kgo.Record) {
	headers := [][]any{}
	for _, header := range record.Headers {
		headers = append(headers, []any{header.Key, encode(header.Value)})
	}
	kind := map[int8]string{0: "CreateTime", 1: "LogAppendTime"}[record.Attrs.TimestampType()]
	tell("received", map[string]any{
		"topic":          record.Topic,
		"partition":      record.Partition,
		"offset":         record.Offset,
		"timestamp":      record.Timestamp.UnixMilli(),
		"timestamp_type": kind,
		"key":            encode(record.Key),
		"value":          encode(record.Value),
		"headers":        headers,
	})
}
