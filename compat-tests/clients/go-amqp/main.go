// amqp091-go under test: it does what standard input says.
package main

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func main() {
	client := session{channels: map[string]channel{}}
	readCommands(client.run)
	if client.connection != nil && !client.connection.IsClosed() {
		client.connection.Close()
	}
}

type session struct {
	connection *amqp.Connection
	channels   map[string]channel
}

// A channel, which the server may close.
type channel struct {
	*amqp.Channel
	isConfirming bool
	told         chan struct{} // closed once it is told that the server closed the channel
}

func (s *session) run(command command) {
	err := s.attempt(command)
	var refusal *amqp.Error
	switch {
	case err == nil:
		tell("done", map[string]any{"command": command.verb})
		return
	case errors.As(err, &refusal):
		// The goroutine that listens for it tells why.
		if channel, given := s.channels[command.channel()]; given {
			<-channel.told
		}
		tell("refused", map[string]any{"command": command.verb})
	default:
		fail(err)
	}
}

func (s *session) attempt(command command) error {
	switch command.verb {
	case "connect":
		return s.connect(command)
	case "disconnect":
		return s.connection.Close()
	case "open":
		return s.open(command)
	}
	channel, given := s.channels[command.channel()]
	if !given {
		return fmt.Errorf("no channel for %s", command.verb)
	}
	do, known := verbs[command.verb]
	if !known {
		return fmt.Errorf("no such command: %s", command.verb)
	}
	return do(channel, command)
}

func (s *session) connect(command command) error {
	heartbeat := 60
	if seconds := command.number("heartbeat"); seconds != 0 {
		heartbeat = seconds
	}
	configuration := amqp.Config{Heartbeat: time.Duration(heartbeat) * time.Second, Locale: "en_US"}
	connection, err := amqp.DialConfig("amqp://"+command.text("amqp")+"/", configuration)
	if err != nil {
		return err
	}
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		if reason, isRefusal := <-closed; isRefusal {
			tellClosed("connection", reason)
		}
	}()
	s.connection = connection
	s.channels = map[string]channel{}
	return nil
}

func (s *session) open(command command) error {
	opened, err := s.connection.Channel()
	if err != nil {
		return err
	}
	channel := channel{opened, command.text("mode") == "confirm", make(chan struct{})}
	closed := opened.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		reason, isRefusal := <-closed
		if isRefusal && !s.connection.IsClosed() {
			tellClosed("channel", reason)
		}
		close(channel.told)
	}()
	returned := opened.NotifyReturn(make(chan amqp.Return))
	cancelled := opened.NotifyCancel(make(chan string))
	go func() {
		for message := range returned {
			tellReturned(message)
		}
	}()
	go func() {
		for tag := range cancelled {
			tell("cancelled", map[string]any{"tag": tag})
		}
	}()
	switch command.text("mode") {
	case "confirm":
		err = opened.Confirm(false)
	case "transaction":
		err = opened.Tx()
	}
	s.channels[command.channel()] = channel
	return err
}

func tellClosed(scope string, reason *amqp.Error) {
	tell("closed", map[string]any{"scope": scope, "code": reason.Code, "text": reason.Reason})
}
