package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"io"
	"time"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// ask sends each line as it comes as a request, and tells what it was answered with.
func ask(c command, lines *bufio.Reader) error {
	client, err := startProducer(c)
	if err != nil {
		return err
	}
	introduce(client, c)
	tell("ready", map[string]any{})
	within := time.Duration(c.number("patience", 15_000)) * time.Millisecond
	for {
		message, err := readMessage(c.text("topic", ""), lines)
		if err != nil {
			return err
		}
		if message == nil {
			return client.Shutdown()
		}
		answer, err := client.Request(context.Background(), within, message)
		if err != nil {
			tell("lost", map[string]any{"error": err.Error()})
			continue
		}
		tell("answered", map[string]any{"value": base64.StdEncoding.EncodeToString(answer.Body)})
	}
}

// introduce has the broker know who asks before the first answer comes. This client does that by
// itself when it asks in a topic that nobody knows; otherwise a second after its start to the
// brokers that it knows then, and to others half a minute later. An answer until then is lost.
func introduce(client rocketmq.Producer, c command) {
	nowhere := primitive.NewMessage(c.text("topic", "")+"-unknown", []byte("nobody answers"))
	client.Request(context.Background(), time.Millisecond, nowhere)
}

// answer answers every request with its own body behind "re: ", until the input ends.
func answer(c command, lines *bufio.Reader) error {
	answers, err := startProducer(c)
	if err != nil {
		return err
	}
	client, err := rocketmq.NewPushConsumer(consumerOptions(c, "answerer")...)
	if err != nil {
		return err
	}
	reply := func(_ context.Context, requests ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		for _, request := range requests {
			if err := replyTo(answers, request); err != nil {
				tell("lost", map[string]any{"error": err.Error()})
				continue
			}
			printMessage("received", request)
		}
		return consumer.ConsumeSuccess, nil
	}
	if err := client.Subscribe(c.text("topic", ""), selector(c), reply); err != nil {
		return err
	}
	if err := client.Start(); err != nil {
		return err
	}
	tell("ready", map[string]any{})
	io.Copy(io.Discard, lines)
	if err := client.Shutdown(); err != nil {
		return err
	}
	return answers.Shutdown()
}

func replyTo(answers rocketmq.Producer, request *primitive.MessageExt) error {
	body := append([]byte("re: "), request.Body...)
	reply, err := consumer.CreateReplyMessage(request, body)
	if err != nil {
		return err
	}
	// The client takes the body it is given for properties.
	reply.Body = body
	_, err = answers.SendSync(context.Background(), reply)
	return err
}
