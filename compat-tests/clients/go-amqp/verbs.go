package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// verbs is what a channel does for each command.
var verbs = map[string]func(channel, command) error{
	"close":            func(channel channel, _ command) error { return channel.Close() },
	"declare-exchange": declareExchange,
	"delete-exchange": func(channel channel, command command) error {
		return channel.ExchangeDelete(command.text("name"), false, false)
	},
	"bind-exchange": func(channel channel, command command) error {
		to, key, from := command.text("to"), command.text("key"), command.text("exchange")
		return channel.ExchangeBind(to, key, from, false, arguments(command))
	},
	"declare-queue": declareQueue,
	"delete-queue": func(channel channel, command command) error {
		messages, err := channel.QueueDelete(command.text("name"), false, false, false)
		return counted("deleted", messages, err)
	},
	"purge": func(channel channel, command command) error {
		messages, err := channel.QueuePurge(command.text("queue"), false)
		return counted("purged", messages, err)
	},
	"bind": func(channel channel, command command) error {
		queue, key, exchange := command.text("queue"), command.text("key"), command.text("exchange")
		return channel.QueueBind(queue, key, exchange, false, arguments(command))
	},
	"unbind": func(channel channel, command command) error {
		queue, key, exchange := command.text("queue"), command.text("key"), command.text("exchange")
		return channel.QueueUnbind(queue, key, exchange, arguments(command))
	},
	"publish": publish,
	"get":     get,
	"qos": func(channel channel, command command) error {
		return channel.Qos(command.number("prefetch"), 0, command.isSet("global"))
	},
	"consume": consume,
	"cancel": func(channel channel, command command) error {
		return channel.Cancel(command.text("tag"), false)
	},
	"ack": func(channel channel, command command) error {
		return channel.Ack(delivery(command), command.isSet("multiple"))
	},
	"nack": func(channel channel, command command) error {
		return channel.Nack(delivery(command), command.isSet("multiple"), command.isSet("requeue"))
	},
	"reject": func(channel channel, command command) error {
		return channel.Reject(delivery(command), command.isSet("requeue"))
	},
	"recover":  func(channel channel, _ command) error { return channel.Recover(true) },
	"commit":   func(channel channel, _ command) error { return channel.TxCommit() },
	"rollback": func(channel channel, _ command) error { return channel.TxRollback() },
}

func arguments(command command) amqp.Table { return table(command.json("arguments")) }

func delivery(command command) uint64 { return uint64(command.number("delivery")) }

func counted(event string, messages int, err error) error {
	if err == nil {
		tell(event, map[string]any{"messages": messages})
	}
	return err
}

func declareExchange(channel channel, command command) error {
	declare := channel.ExchangeDeclare
	if command.isSet("passive") {
		declare = channel.ExchangeDeclarePassive
	}
	kind := command.text("type")
	if kind == "" {
		kind = amqp.ExchangeDirect
	}
	return declare(
		command.text("name"),
		kind,
		command.isSet("durable"),
		command.isSet("auto_delete"),
		command.isSet("internal"),
		false,
		arguments(command),
	)
}

func declareQueue(channel channel, command command) error {
	declare := channel.QueueDeclare
	if command.isSet("passive") {
		declare = channel.QueueDeclarePassive
	}
	queue, err := declare(
		command.text("name"),
		command.isSet("durable"),
		command.isSet("auto_delete"),
		command.isSet("exclusive"),
		false,
		arguments(command),
	)
	if err != nil {
		return err
	}
	tell("declared", map[string]any{
		"name":      queue.Name,
		"messages":  queue.Messages,
		"consumers": queue.Consumers,
	})
	return nil
}

func publish(channel channel, command command) error {
	properties := command.json("properties")
	waiting := []*amqp.DeferredConfirmation{}
	for _, body := range command.bodies() {
		confirmation, err := channel.PublishWithDeferredConfirmWithContext(
			context.Background(),
			command.text("exchange"),
			command.text("key"),
			command.isSet("mandatory"),
			false,
			publishing(properties, body),
		)
		if err != nil {
			return err
		}
		waiting = append(waiting, confirmation)
	}
	if !channel.isConfirming {
		return nil
	}
	confirmed := 0
	for _, confirmation := range waiting {
		if confirmation.Wait() {
			confirmed++
		}
	}
	if channel.IsClosed() {
		return amqp.ErrClosed
	}
	tell("confirmed", map[string]any{"count": confirmed})
	return nil
}

func get(channel channel, command command) error {
	delivery, isThere, err := channel.Get(command.text("queue"), command.isSet("auto_ack"))
	if err != nil {
		return err
	}
	if !isThere {
		tell("empty", map[string]any{})
		return nil
	}
	fields := message(delivery)
	fields["left"] = delivery.MessageCount
	tell("got", fields)
	return nil
}

func consume(channel channel, command command) error {
	deliveries, err := channel.Consume(
		command.text("queue"),
		command.text("tag"),
		command.isSet("auto_ack"),
		command.isSet("exclusive"),
		false,
		false,
		arguments(command),
	)
	if err != nil {
		return err
	}
	go func() {
		for delivery := range deliveries {
			fields := message(delivery)
			fields["tag"] = delivery.ConsumerTag
			tell("received", fields)
		}
	}()
	tell("consuming", map[string]any{"tag": command.text("tag")})
	return nil
}
