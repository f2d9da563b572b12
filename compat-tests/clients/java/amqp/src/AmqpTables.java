import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.LongString;
import com.rabbitmq.tools.json.JSONReader;
import com.rabbitmq.tools.json.JSONWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Tables, properties and messages as JSON, and back. */
final class AmqpTables {
    private AmqpTables() {}

    static Map<String, Object> table(Command command, String name) {
        String json = command.text(name, "");
        return json.isEmpty() ? Map.of() : table((Map<?, ?>) new JSONReader().read(json));
    }

    static BasicProperties properties(Command command) {
        Map<String, Object> given = table(command, "properties");
        BasicProperties.Builder properties = new BasicProperties.Builder();
        given.forEach((name, value) -> {
            switch (name) {
                case "content_type" -> properties.contentType((String) value);
                case "content_encoding" -> properties.contentEncoding((String) value);
                case "headers" -> properties.headers(table((Map<?, ?>) value));
                case "delivery_mode" -> properties.deliveryMode((Integer) value);
                case "priority" -> properties.priority((Integer) value);
                case "correlation_id" -> properties.correlationId((String) value);
                case "reply_to" -> properties.replyTo((String) value);
                case "expiration" -> properties.expiration((String) value);
                case "message_id" -> properties.messageId((String) value);
                case "timestamp" -> properties.timestamp(date(value));
                case "type" -> properties.type((String) value);
                case "user_id" -> properties.userId((String) value);
                case "app_id" -> properties.appId((String) value);
                default -> throw new IllegalArgumentException("no such property: " + name);
            }
        });
        return properties.build();
    }

    /** An event with all there is of a message. */
    static Output event(String name, Envelope envelope, BasicProperties properties, byte[] body) {
        return Output.event(name)
                .field("delivery", envelope.getDeliveryTag())
                .json("redelivered", String.valueOf(envelope.isRedeliver()))
                .field("exchange", envelope.getExchange())
                .field("key", envelope.getRoutingKey())
                .field("value", body)
                .json("properties", json(properties));
    }

    static String json(BasicProperties properties) {
        Map<String, Object> given = new LinkedHashMap<>();
        given.put("content_type", properties.getContentType());
        given.put("content_encoding", properties.getContentEncoding());
        given.put("delivery_mode", properties.getDeliveryMode());
        given.put("priority", properties.getPriority());
        given.put("correlation_id", properties.getCorrelationId());
        given.put("reply_to", properties.getReplyTo());
        given.put("expiration", properties.getExpiration());
        given.put("message_id", properties.getMessageId());
        given.put("type", properties.getType());
        given.put("user_id", properties.getUserId());
        given.put("app_id", properties.getAppId());
        if (properties.getTimestamp() != null) {
            given.put("timestamp", properties.getTimestamp().getTime() / 1_000);
        }
        if (properties.getHeaders() != null) {
            given.put("headers", plain(properties.getHeaders()));
        }
        given.values().removeIf(value -> value == null);
        return new JSONWriter().write(given);
    }

    /** JSON as the library takes it. */
    private static Map<String, Object> table(Map<?, ?> fields) {
        Map<String, Object> table = new LinkedHashMap<>();
        fields.forEach((name, value) -> table.put((String) name, nativeOf(value)));
        return table;
    }

    private static Object nativeOf(Object value) {
        if (value instanceof List<?> values) {
            List<Object> list = new ArrayList<>();
            values.forEach(item -> list.add(nativeOf(item)));
            return list;
        }
        if (value instanceof Double number && number == Math.rint(number)) {
            // The reader makes one of every number that is no int.
            return number.longValue();
        }
        if (!(value instanceof Map<?, ?> fields)) {
            return value;
        }
        if (fields.get("!bytes") instanceof String bytes) {
            return Base64.getDecoder().decode(bytes);
        }
        if (fields.get("!time") instanceof Number seconds) {
            return date(seconds);
        }
        if (fields.get("!decimal") instanceof List<?> parts) {
            BigInteger digits = BigInteger.valueOf(((Number) parts.get(1)).longValue());
            return new BigDecimal(digits, ((Number) parts.get(0)).intValue());
        }
        return table(fields);
    }

    private static Date date(Object seconds) {
        return new Date(((Number) seconds).longValue() * 1_000);
    }

    /** The way back. */
    private static Object plain(Object value) {
        if (value instanceof LongString text) {
            return text.toString();
        }
        if (value instanceof byte[] bytes) {
            return Map.of("!bytes", Base64.getEncoder().encodeToString(bytes));
        }
        if (value instanceof Date time) {
            return Map.of("!time", time.getTime() / 1_000);
        }
        if (value instanceof BigDecimal decimal) {
            return Map.of("!decimal", List.of(decimal.scale(), decimal.unscaledValue().longValue()));
        }
        if (value instanceof List<?> values) {
            List<Object> list = new ArrayList<>();
            values.forEach(item -> list.add(plain(item)));
            return list;
        }
        if (value instanceof Map<?, ?> fields) {
            Map<String, Object> table = new LinkedHashMap<>();
            fields.forEach((name, item) -> table.put((String) name, plain(item)));
            return table;
        }
        return value;
    }
}
