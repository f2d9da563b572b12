package main

import (
	"encoding/json"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// table is JSON as the library takes it.
func table(fields map[string]any) amqp.Table {
	table := amqp.Table{}
	for name, value := range fields {
		table[name] = native(value)
	}
	return table
}

func native(value any) any {
	switch value := value.(type) {
	case json.Number:
		number, err := value.Int64()
		if err != nil {
			double, _ := value.Float64()
			return double
		}
		if number == int64(int32(number)) {
			return int32(number)
		}
		return number
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, native(item))
		}
		return list
	case map[string]any:
		if bytes, given := value["!bytes"]; given {
			return decode(bytes.(string))
		}
		if seconds, given := value["!time"]; given {
			return time.Unix(integer(seconds), 0)
		}
		if parts, given := value["!decimal"]; given {
			parts := parts.([]any)
			return amqp.Decimal{Scale: uint8(integer(parts[0])), Value: int32(integer(parts[1]))}
		}
		return table(value)
	default:
		return value
	}
}

func integer(value any) int64 {
	number, err := value.(json.Number).Int64()
	if err != nil {
		fail(err)
	}
	return number
}

// plain is the way back.
func plain(value any) any {
	switch value := value.(type) {
	case []byte:
		return map[string]any{"!bytes": encode(value)}
	case time.Time:
		return map[string]any{"!time": value.Unix()}
	case amqp.Decimal:
		return map[string]any{"!decimal": []any{value.Scale, value.Value}}
	case []any:
		list := []any{}
		for _, item := range value {
			list = append(list, plain(item))
		}
		return list
	case amqp.Table:
		fields := map[string]any{}
		for name, item := range value {
			fields[name] = plain(item)
		}
		return fields
	default:
		return value
	}
}

func publishing(properties map[string]any, body []byte) amqp.Publishing {
	text := func(name string) string {
		text, _ := properties[name].(string)
		return text
	}
	number := func(name string) int64 {
		if value, given := properties[name]; given {
			return integer(value)
		}
		return 0
	}
	message := amqp.Publishing{
		ContentType:     text("content_type"),
		ContentEncoding: text("content_encoding"),
		DeliveryMode:    uint8(number("delivery_mode")),
		Priority:        uint8(number("priority")),
		CorrelationId:   text("correlation_id"),
		ReplyTo:         text("reply_to"),
		Expiration:      text("expiration"),
		MessageId:       text("message_id"),
		Type:            text("type"),
		UserId:          text("user_id"),
		AppId:           text("app_id"),
		Body:            body,
	}
	if headers, given := properties["headers"]; given {
		message.Headers = table(headers.(map[string]any))
	}
	if seconds := number("timestamp"); seconds != 0 {
		message.Timestamp = time.Unix(seconds, 0)
	}
	return message
}

// tellReturned tells what the library tells of a message that comes back.
func tellReturned(returned amqp.Return) {
	fields := message(amqp.Delivery{
		Headers:         returned.Headers,
		ContentType:     returned.ContentType,
		ContentEncoding: returned.ContentEncoding,
		DeliveryMode:    returned.DeliveryMode,
		Priority:        returned.Priority,
		CorrelationId:   returned.CorrelationId,
		ReplyTo:         returned.ReplyTo,
		Expiration:      returned.Expiration,
		MessageId:       returned.MessageId,
		Timestamp:       returned.Timestamp,
		Type:            returned.Type,
		UserId:          returned.UserId,
		AppId:           returned.AppId,
		Exchange:        returned.Exchange,
		RoutingKey:      returned.RoutingKey,
		Body:            returned.Body,
	})
	fields["code"] = returned.ReplyCode
	fields["text"] = returned.ReplyText
	tell("returned", fields)
}

// message is what every event has that is of one.
func message(delivery amqp.Delivery) map[string]any {
	properties := map[string]any{}
	texts := map[string]string{
		"content_type":     delivery.ContentType,
		"content_encoding": delivery.ContentEncoding,
		"correlation_id":   delivery.CorrelationId,
		"reply_to":         delivery.ReplyTo,
		"expiration":       delivery.Expiration,
		"message_id":       delivery.MessageId,
		"type":             delivery.Type,
		"user_id":          delivery.UserId,
		"app_id":           delivery.AppId,
	}
	for name, text := range texts {
		if text != "" {
			properties[name] = text
		}
	}
	numbers := map[string]uint8{"delivery_mode": delivery.DeliveryMode, "priority": delivery.Priority}
	for name, number := range numbers {
		if number != 0 {
			properties[name] = number
		}
	}
	if !delivery.Timestamp.IsZero() {
		properties["timestamp"] = delivery.Timestamp.Unix()
	}
	if delivery.Headers != nil {
		properties["headers"] = plain(delivery.Headers)
	}
	return map[string]any{
		"delivery":    delivery.DeliveryTag,
		"redelivered": delivery.Redelivered,
		"exchange":    delivery.Exchange,
		"key":         delivery.RoutingKey,
		"value":       encode(delivery.Body),
		"properties":  properties,
	}
}
