package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A command is a verb and its key=value arguments; the format is in clients/README.md.
type command struct {
	verb      string
	arguments map[string]string
}

func (c command) text(name string) string { return c.arguments[name] }

func (c command) number(name string) int {
	number, _ := strconv.Atoi(c.arguments[name])
	return number
}

func (c command) isSet(name string) bool { return c.arguments[name] == "true" }

// channel is the name of the channel it is for.
func (c command) channel() string {
	if name, given := c.arguments["channel"]; given {
		return name
	}
	return "main"
}

// json is an argument's value, nil without one.
func (c command) json(name string) map[string]any {
	text, given := c.arguments[name]
	if !given {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		fail(err)
	}
	return value
}

// bodies are the body, or with count= so many numbers.
func (c command) bodies() [][]byte {
	if _, given := c.arguments["count"]; !given {
		return [][]byte{decode(c.text("body"))}
	}
	bodies := [][]byte{}
	for number := range c.number("count") {
		bodies = append(bodies, []byte(strconv.Itoa(number)))
	}
	return bodies
}

// readCommands calls run with every command until standard input ends.
func readCommands(run func(command)) {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			fail(err)
		}
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		arguments := map[string]string{}
		for _, pair := range fields[1:] {
			name, value, _ := strings.Cut(pair, "=")
			arguments[name] = value
		}
		run(command{fields[0], arguments})
	}
}

func decode(field string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		fail(err)
	}
	return bytes
}

func encode(bytes []byte) string { return base64.StdEncoding.EncodeToString(bytes) }

var output sync.Mutex

func tell(event string, fields map[string]any) {
	fields["event"] = event
	line, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func fail(err error) {
	tell("failed", map[string]any{"error": err.Error()})
	os.Exit(1)
}
