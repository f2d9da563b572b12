package main

import (
	"bufio"
	"context"
	"encoding/base64"

	"github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// scripted ends each transaction as its message says: END at once, CHECK when the broker asks.
type scripted struct{}

func (scripted) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	return state(message.GetProperty("END"))
}

func (scripted) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	tell("checked", map[string]any{
		"topic":       message.Topic,
		"id":          message.MsgId,
		"transaction": message.TransactionId,
		"value":       base64.StdEncoding.EncodeToString(message.Body),
	})
	return state(message.GetProperty("CHECK"))
}

func state(name string) primitive.LocalTransactionState {
	switch name {
	case "commit":
		return primitive.CommitMessageState
	case "rollback":
		return primitive.RollbackMessageState
	default:
		return primitive.UnknowState
	}
}

// transact sends each line as it comes in a transaction of its own, and answers the broker's
// questions until the input ends.
func transact(c command, lines *bufio.Reader) error {
	client, err := rocketmq.NewTransactionProducer(scripted{}, producerOptions(c)...)
	if err != nil {
		return err
	}
	if err := client.Start(); err != nil {
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
		sent, err := client.SendMessageInTransaction(context.Background(), message)
		if err != nil {
			tell("lost", map[string]any{"error": err.Error()})
			continue
		}
		printSent(sent.SendResult)
	}
}
