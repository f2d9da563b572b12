package main

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// chosen sends a message to the queue it names, any other in turn.
type chosen struct{ otherwise producer.QueueSelector }

func (c chosen) Select(
	message *primitive.Message, queues []*primitive.MessageQueue, lastBroker string,
) *primitive.MessageQueue {
	if message.Queue == nil {
		return c.otherwise.Select(message, queues, lastBroker)
	}
	for _, queue := range queues {
		if queue.QueueId == message.Queue.QueueId {
			return queue
		}
	}
	return nil
}

func producerOptions(c command) []producer.Option {
	servers := []string{c.text("namesrv", "")}
	options := []producer.Option{
		producer.WithNameServer(servers),
		producer.WithGroupName(c.text("group", "compat-producer")),
		producer.WithInstanceName(instance("producer")),
		producer.WithRetry(0),
		producer.WithSendMsgTimeout(10 * time.Second),
		// Of a topic that comes to be with its first message.
		producer.WithDefaultTopicQueueNums(c.number("queues", 4)),
		producer.WithQueueSelector(chosen{producer.NewRoundRobinQueueSelector()}),
	}
	if c.isSet("trace") {
		options = append(options, producer.WithTrace(traceConfig(servers)))
	}
	return options
}

func startProducer(c command) (rocketmq.Producer, error) {
	client, err := rocketmq.NewProducer(producerOptions(c)...)
	if err != nil {
		return nil, err
	}
	return client, client.Start()
}

func traceConfig(servers []string) *primitive.TraceConfig {
	return &primitive.TraceConfig{
		GroupName:    "compat-trace",
		Access:       primitive.Local,
		NamesrvAddrs: servers,
	}
}

// produce sends the input in the way mode names.
func produce(c command, lines *bufio.Reader) error {
	client, err := startProducer(c)
	if err != nil {
		return err
	}
	messages, err := readMessages(c.text("topic", ""), lines)
	if err != nil {
		return err
	}
	mode := c.text("mode", "sync")
	if mode != "selector" {
		for _, message := range messages {
			message.Queue = nil
		}
	}
	ctx := context.Background()
	switch mode {
	case "sync", "selector":
		for _, message := range messages {
			if err := sendOne(client, message); err != nil {
				return err
			}
		}
	case "async":
		err = sendAsync(ctx, client, messages)
	case "oneway":
		for _, message := range messages {
			if err := client.SendOneWay(ctx, message); err != nil {
				return err
			}
		}
	case "batch":
		var sent *primitive.SendResult
		if sent, err = client.SendSync(ctx, messages...); err == nil {
			printSent(sent)
		}
	default:
		err = fmt.Errorf("no such mode: %s", mode)
	}
	if err != nil {
		return err
	}
	return client.Shutdown()
}

func sendOne(client rocketmq.Producer, message *primitive.Message) error {
	sent, err := client.SendSync(context.Background(), message)
	if err == nil {
		printSent(sent)
	}
	return err
}

func sendAsync(ctx context.Context, client rocketmq.Producer, messages []*primitive.Message) error {
	type outcome struct {
		sent *primitive.SendResult
		err  error
	}
	outcomes := make([]chan outcome, 0, len(messages))
	for _, message := range messages {
		done := make(chan outcome, 1)
		outcomes = append(outcomes, done)
		tellDone := func(_ context.Context, sent *primitive.SendResult, err error) { done <- outcome{sent, err} }
		if err := client.SendAsync(ctx, tellDone, message); err != nil {
			return err
		}
	}
	for _, done := range outcomes {
		result := <-done
		if result.err != nil {
			return result.err
		}
		printSent(result.sent)
	}
	return nil
}

// stream sends each line as it comes, one at a time and once, and tells its fate before the next.
func stream(c command, lines *bufio.Reader) error {
	client, err := startProducer(c)
	if err != nil {
		return err
	}
	tell("ready", map[string]any{})
	for {
		message, err := readMessage(c.text("topic", ""), lines)
		if err != nil {
			return err
		}
		if message == nil {
			return client.Shutdown()
		}
		if err := sendOne(client, message); err != nil {
			tell("lost", map[string]any{"error": err.Error()})
		}
	}
}
