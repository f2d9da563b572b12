package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readRecords reads messages from standard input up to an empty line or the end; the format is in
// clients/README.md.
func readRecords(topic string) ([]*kgo.Record, error) {
	var records []*kgo.Record
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		if line != "" {
			record, bad := parseRecord(topic, strings.Split(line, "\t"))
			if bad != nil {
				return nil, bad
			}
			records = append(records, record)
		}
		if err == io.EOF || (err == nil && line == "") {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func parseRecord(topic string, fields []string) (*kgo.Record, error) {
	record := &kgo.Record{Topic: topic}
	partition, err := strconv.Atoi(fields[0])
	if err != nil {
		return nil, err
	}
	record.Partition = int32(partition)
	if millis, err := strconv.ParseInt(fields[1], 10, 64); err == nil && millis >= 0 {
		record.Timestamp = timeOf(millis)
	}
	record.Key = decode(fields[2])
	record.Value = decode(fields[3])
	if fields[4] != "" {
		for _, header := range strings.Split(fields[4], ",") {
			name, value, _ := strings.Cut(header, ":")
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: string(decode(name)), Value: decode(value)})
		}
	}
	return record, nil
}

func decode(field string) []byte {
	if field == "-" {
		return nil
	}
	bytes, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		fail(err)
	}
	return bytes
}

// encode keeps null apart from empty.
func encode(bytes []byte) any {
	if bytes == nil {
		return nil
	}
	return base64.StdEncoding.EncodeToString(bytes)
}

func tell(event string, fields map[string]any) {
	fields["event"] = event
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

func fail(err error) {
	tell("failed", map[string]any{"error": err.Error()})
	os.Exit(1)
}
