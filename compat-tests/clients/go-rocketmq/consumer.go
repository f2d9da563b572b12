package main

import (
	"bufio"
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// suspension is how long a queue rests after an orderly listener refused a message.
const suspension = 200 * time.Millisecond

const (
	// patience is how long a topic may take to come to be.
	patience = 30 * time.Second
	// glance is between two looks at whether it is there.
	glance = 20 * time.Millisecond
)

func consumerOptions(c command, role string) []consumer.Option {
	servers := []string{c.text("namesrv", "")}
	options := []consumer.Option{
		consumer.WithNameServer(servers),
		consumer.WithGroupName(c.text("group", "")),
		consumer.WithInstance(instance(role)),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
	if c.isSet("trace") {
		options = append(options, consumer.WithTrace(traceConfig(servers)))
	}
	return options
}

// selector wants what the expression sql says, or else the tags.
func selector(c command) consumer.MessageSelector {
	if sql := c.text("sql", ""); sql != "" {
		return consumer.MessageSelector{Type: consumer.SQL92, Expression: sql}
	}
	return consumer.MessageSelector{Type: consumer.TAG, Expression: c.text("tags", "*")}
}

// push consumes until count messages came or standard input ends. Messages with the tag that later
// names are refused, as often as refusals says; with orderly they suspend their queue.
func push(c command, lines *bufio.Reader) error {
	options := consumerOptions(c, "push")
	if c.text("model", "clustering") == "broadcasting" {
		options = append(options, consumer.WithConsumerModel(consumer.BroadCasting))
	}
	orderly := c.isSet("orderly")
	options = append(options,
		consumer.WithConsumerOrder(orderly),
		consumer.WithSuspendCurrentQueueTimeMillis(suspension),
		consumer.WithMaxReconsumeTimes(int32(c.number("max-attempts", -1))),
	)
	client, err := rocketmq.NewPushConsumer(options...)
	if err != nil {
		return err
	}
	count, refusals := int64(c.number("count", 0)), int32(c.number("refusals", 1))
	later := c.text("later", "")
	finished := make(chan struct{})
	if count == 0 {
		go func() {
			io.Copy(io.Discard, lines)
			close(finished)
		}()
	}
	var seen atomic.Int64
	take := func(ctx context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		taken := true
		for _, message := range messages {
			printMessage("received", message)
			if later != "" && message.GetTags() == later && message.ReconsumeTimes < refusals {
				taken = false
			}
			if seen.Add(1) == count {
				close(finished)
			}
		}
		switch {
		case taken:
			return consumer.ConsumeSuccess, nil
		case orderly:
			return consumer.SuspendCurrentQueueAMoment, nil
		}
		if concurrent, known := primitive.GetConcurrentlyCtx(ctx); known {
			concurrent.DelayLevelWhenNextConsume = 1
		}
		return consumer.ConsumeRetryLater, nil
	}
	if _, err := queuesOf(c); err != nil {
		return err
	}
	if err := client.Subscribe(c.text("topic", ""), selector(c), take); err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	tell("ready", map[string]any{})
	<-finished
	return client.Shutdown()
}

// poll consumes as a group member, asking for messages, until count came.
func poll(c command, _ *bufio.Reader) error {
	client, err := rocketmq.NewPullConsumer(consumerOptions(c, "poll")...)
	if err != nil {
		return err
	}
	if _, err := queuesOf(c); err != nil {
		return err
	}
	if err := client.Subscribe(c.text("topic", ""), selector(c)); err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	ctx := context.Background()
	for seen := 0; seen < c.number("count", 1); {
		polled, err := client.Poll(ctx, time.Second)
		if err == consumer.ErrNoNewMsg {
			continue
		}
		if err != nil {
			return err
		}
		for _, message := range polled.GetMsgList() {
			printMessage("received", message)
			seen++
		}
		client.ACK(ctx, polled, consumer.ConsumeSuccess)
	}
	return client.Shutdown()
}

// dump reads every queue of the topic without the group's progress, until count messages came.
func dump(c command, _ *bufio.Reader) error {
	topic := c.text("topic", "")
	client, err := rocketmq.NewPullConsumer(consumerOptions(c, "dump")...)
	if err != nil {
		return err
	}
	queues, err := queuesOf(c)
	if err != nil {
		return err
	}
	if err := client.Subscribe(topic, selector(c)); err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	ctx := context.Background()
	count := c.number("count", 1)
	offsets := make([]int64, len(queues))
	for seen := 0; seen < count; {
		for at, queue := range queues {
			pulled, err := client.PullFrom(ctx, queue, offsets[at], 32)
			if err != nil {
				return err
			}
			offsets[at] = pulled.NextBeginOffset
			for _, message := range pulled.GetMessageExts() {
				printMessage("message", message)
				seen++
			}
		}
	}
	return client.Shutdown()
}

// queuesOf gives the topic's queues, waiting for a topic that its first message is still making:
// this client's consumers do not start without them.
func queuesOf(c command) ([]*primitive.MessageQueue, error) {
	resolver := primitive.NewPassthroughResolver([]string{c.text("namesrv", "")})
	client, err := admin.NewAdmin(admin.WithResolver(resolver))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for deadline := time.Now().Add(patience); ; time.Sleep(glance) {
		queues, err := client.FetchPublishMessageQueues(context.Background(), c.text("topic", ""))
		if err == nil || time.Now().After(deadline) {
			return queues, err
		}
	}
}
