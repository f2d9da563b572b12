// The RocketMQ Go client under test: rocketmq VERB key=value ... -- VERB key=value ...
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// A command is a verb and its key=value arguments.
type command struct {
	verb    string
	options map[string]string
}

func (c command) text(name, otherwise string) string {
	if value, given := c.options[name]; given {
		return value
	}
	return otherwise
}

func (c command) number(name string, otherwise int) int {
	value, err := strconv.Atoi(c.options[name])
	if err != nil {
		return otherwise
	}
	return value
}

func (c command) isSet(name string) bool { return c.options[name] == "true" }

// instance keeps apart clients that live in one process.
func instance(role string) string { return fmt.Sprintf("%s-%d", role, time.Now().UnixNano()) }

func main() {
	rlog.SetLogLevel("fatal")
	lines := bufio.NewReader(os.Stdin)
	verbs := map[string]func(command, *bufio.Reader) error{
		"produce":  produce,
		"stream":   stream,
		"transact": transact,
		"ask":      ask,
		"answer":   answer,
		"push":     push,
		"litepull": poll,
		"dump":     dump,
	}
	for _, one := range parse(os.Args[1:]) {
		run, known := verbs[one.verb]
		if !known {
			fail(fmt.Errorf("no such command: %s", one.verb))
		}
		if err := run(one, lines); err != nil {
			fail(err)
		}
		tell("done", map[string]any{"command": one.verb})
	}
}

func parse(arguments []string) []command {
	var commands []command
	begins := true
	for _, argument := range arguments {
		switch {
		case argument == "--":
			begins = true
		case begins:
			commands = append(commands, command{argument, map[string]string{}})
			begins = false
		default:
			name, value, _ := strings.Cut(argument, "=")
			commands[len(commands)-1].options[name] = value
		}
	}
	return commands
}
