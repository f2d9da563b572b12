//! Tables, properties and messages as JSON, and back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, DecimalValue, FieldTable};
use serde_json::{Map, Value, json};

pub fn table(json: &Value) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in json.as_object().unwrap() {
        table.insert(name.as_str().into(), native(value));
    }
    table
}

fn native(json: &Value) -> AMQPValue {
    match json {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(number) => match number.as_i64() {
            None => AMQPValue::Double(number.as_f64().unwrap()),
            Some(number) => {
                i32::try_from(number).map_or(AMQPValue::LongLongInt(number), AMQPValue::LongInt)
            }
        },
        Value::String(text) => AMQPValue::LongString(text.as_str().into()),
        Value::Array(values) => {
            AMQPValue::FieldArray(values.iter().map(native).collect::<Vec<_>>().into())
        }
        Value::Object(fields) => match fields.iter().next() {
            Some((name, value)) if name == "!bytes" => {
                AMQPValue::ByteArray(BASE64.decode(value.as_str().unwrap()).unwrap().into())
            }
            Some((name, value)) if name == "!time" => AMQPValue::Timestamp(value.as_u64().unwrap()),
            Some((name, value)) if name == "!decimal" => AMQPValue::DecimalValue(DecimalValue {
                scale: value[0].as_u64().unwrap() as u8,
                value: value[1].as_u64().unwrap() as u32,
            }),
            _ => AMQPValue::FieldTable(table(json)),
        },
    }
}

fn plain(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::DecimalValue(value) => json!({"!decimal": [value.scale, value.value]}),
        AMQPValue::ShortString(text) => json!(text.as_str()),
        AMQPValue::LongString(text) => json!(text.to_string()),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(plain).collect(),
        AMQPValue::Timestamp(seconds) => json!({"!time": seconds}),
        AMQPValue::FieldTable(table) => plain_table(table),
        AMQPValue::ByteArray(bytes) => json!({"!bytes": BASE64.encode(bytes.as_slice())}),
        AMQPValue::Void => Value::Null,
    }
}

fn plain_table(table: &FieldTable) -> Value {
    let fields = table.inner().iter();
    let fields = fields.map(|(name, value)| (name.to_string(), plain(value)));
    Value::Object(fields.collect())
}

pub fn properties(json: &Value) -> BasicProperties {
    let mut properties = BasicProperties::default();
    for (name, value) in json.as_object().unwrap() {
        let text = || value.as_str().unwrap().into();
        let number = || value.as_u64().unwrap();
        properties = match name.as_str() {
            "content_type" => properties.with_content_type(text()),
            "content_encoding" => properties.with_content_encoding(text()),
            "headers" => properties.with_headers(table(value)),
            "delivery_mode" => properties.with_delivery_mode(number() as u8),
            "priority" => properties.with_priority(number() as u8),
            "correlation_id" => properties.with_correlation_id(text()),
            "reply_to" => properties.with_reply_to(text()),
            "expiration" => properties.with_expiration(text()),
            "message_id" => properties.with_message_id(text()),
            "timestamp" => properties.with_timestamp(number()),
            "type" => properties.with_type(text()),
            "user_id" => properties.with_user_id(text()),
            "app_id" => properties.with_app_id(text()),
            _ => panic!("no such property: {name}"),
        };
    }
    properties
}

fn plain_properties(properties: &BasicProperties) -> Value {
    let mut fields = Map::new();
    let texts = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message_id", properties.message_id()),
        ("type", properties.kind()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json!(value.as_str()));
        }
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("headers", properties.headers().as_ref().map(plain_table));
    put("delivery_mode", properties.delivery_mode().map(Value::from));
    put("priority", properties.priority().map(Value::from));
    put("timestamp", properties.timestamp().map(Value::from));
    Value::Object(fields)
}

/// What every event has that is of a message.
pub fn event(name: &str, delivery: &Delivery) -> Value {
    json!({
        "event": name,
        "delivery": delivery.delivery_tag,
        "redelivered": delivery.redelivered,
        "exchange": delivery.exchange.as_str(),
        "key": delivery.routing_key.as_str(),
        "value": BASE64.encode(&delivery.data),
        "properties": plain_properties(&delivery.properties),
    })
}
