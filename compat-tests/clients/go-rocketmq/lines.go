package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// readMessage reads the next message, nil at an empty line or the end; the format is in
// clients/README.md.
func readMessage(topic string, lines *bufio.Reader) (*primitive.Message, error) {
	line, err := lines.ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\n")
	if line == "" {
		return nil, nil
	}
	fields := strings.Split(line, "\t")
	message := primitive.NewMessage(topic, decode(fields[3]))
	queue, err := strconv.Atoi(fields[0])
	if err != nil {
		return nil, err
	}
	if queue >= 0 {
		message.Queue = &primitive.MessageQueue{Topic: topic, QueueId: queue}
	}
	if key := decode(fields[2]); key != nil {
		message.WithKeys([]string{string(key)})
	}
	if fields[4] != "" {
		for _, header := range strings.Split(fields[4], ",") {
			name, value, _ := strings.Cut(header, ":")
			// TAGS and DELAY are properties as any other is.
			message.WithProperty(string(decode(name)), string(decode(value)))
		}
	}
	return message, nil
}

func readMessages(topic string, lines *bufio.Reader) ([]*primitive.Message, error) {
	var messages []*primitive.Message
	for {
		message, err := readMessage(topic, lines)
		if message == nil || err != nil {
			return messages, err
		}
		messages = append(messages, message)
	}
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

func printSent(sent *primitive.SendResult) {
	statuses := []string{"SEND_OK", "FLUSH_DISK_TIMEOUT", "FLUSH_SLAVE_TIMEOUT", "SLAVE_NOT_AVAILABLE"}
	status := "UNKNOWN"
	if int(sent.Status) < len(statuses) {
		status = statuses[sent.Status]
	}
	tell("sent", map[string]any{
		"topic":     sent.MessageQueue.Topic,
		"partition": sent.MessageQueue.QueueId,
		"offset":    sent.QueueOffset,
		"status":    status,
		"id":        sent.MsgID,
		"offset_id": sent.OffsetMsgID,
	})
}

func printMessage(event string, message *primitive.MessageExt) {
	tell(event, map[string]any{
		"topic":      message.Topic,
		"partition":  message.Queue.QueueId,
		"offset":     message.QueueOffset,
		"id":         message.MsgId,
		"offset_id":  message.OffsetMsgId,
		"born":       message.BornTimestamp,
		"stored":     message.StoreTimestamp,
		"size":       message.StoreSize,
		"attempt":    message.ReconsumeTimes,
		"tags":       absent(message.GetTags()),
		"keys":       absent(message.GetKeys()),
		"value":      base64.StdEncoding.EncodeToString(message.Body),
		"properties": message.GetProperties(),
	})
}

// absent tells an unset property as null.
func absent(text string) any {
	if text == "" {
		return nil
	}
	return text
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
