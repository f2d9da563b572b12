//! JSON as AMQP's values, and back.

use crate::refusal::Refusal;
use crate::request::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gantry_amqp::codec::table::{ArrayBuilder, Decimal, TableBuilder, Value as Field};
use gantry_amqp::codec::{Properties, PropertyList, Table, TableView};
use gantry_core::routing::{Arguments, Value as Argument};
use serde_json::{Map, Value, json};

/// Deepest nesting of arguments and headers.
const DEPTH_MAX: usize = 32;

/// A table of a request.
///
/// # Errors
/// Something that no table can have.
pub(crate) fn table_of(value: Option<&Value>) -> Result<Table, Refusal> {
    match value {
        None => Ok(Table::default()),
        Some(Value::Object(fields)) => table(fields, DEPTH_MAX),
        // Erlang's tools write an empty object so.
        Some(Value::Array(empty)) if empty.is_empty() => Ok(Table::default()),
        Some(_) => Err(Refusal::bad("arguments are no object")),
    }
}

fn table(fields: &Map<String, Value>, depth: usize) -> Result<Table, Refusal> {
    let mut table = TableBuilder::new();
    for (name, value) in fields {
        field(value, depth, &mut |value| {
            table.put(name, value);
        })?;
    }
    Ok(table.build())
}

fn field(value: &Value, depth: usize, put: &mut dyn FnMut(Field<'_>)) -> Result<(), Refusal> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Refusal::bad("arguments are nested too deeply"));
    };
    match value {
        Value::Null => return Err(Refusal::bad("null_not_allowed")),
        Value::Bool(value) => put(Field::Bool(*value)),
        Value::Number(number) => put(match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Field::I64(number),
            (None, number) => Field::F64(number.unwrap_or_default()),
        }),
        Value::String(text) => put(Field::LongString(text.as_bytes())),
        Value::Array(values) => {
            let mut array = ArrayBuilder::new();
            for value in values {
                field(value, depth, &mut |value| {
                    array.push(value);
                })?;
            }
            put(Field::Array(array.view()));
        }
        Value::Object(fields) => put(Field::Table(table(fields, depth)?.view())),
    }
    Ok(())
}

/// A table as it is told.
pub(crate) fn json_of_table(table: TableView<'_>) -> Value {
    let fields = table.iter().map(|field| {
        let name = String::from_utf8_lossy(field.name).into_owned();
        (name, json_of_field(field.value))
    });
    Value::Object(fields.collect())
}

fn json_of_field(value: Field<'_>) -> Value {
    if let Some(number) = value.integer() {
        return number.into();
    }
    match value {
        Field::Bool(value) => value.into(),
        Field::F32(value) => f64::from(value).into(),
        Field::F64(value) => value.into(),
        Field::Decimal(Decimal { scale, value }) => decimal(scale, value),
        Field::LongString(text) | Field::Bytes(text) => text_of(text).into(),
        Field::Timestamp(seconds) => seconds.into(),
        Field::Array(array) => array.iter().map(json_of_field).collect(),
        Field::Table(table) => json_of_table(table),
        // The integers are gone.
        _ => Value::Null,
    }
}

/// Arguments as they are told.
pub(crate) fn json_of_arguments(arguments: &Arguments) -> Value {
    let fields = arguments.iter();
    let fields = fields.map(|(name, value)| (name.to_owned(), json_of_argument(value)));
    Value::Object(fields.collect())
}

fn json_of_argument(value: &Argument) -> Value {
    match value {
        Argument::Void => Value::Null,
        Argument::Bool(value) => (*value).into(),
        Argument::Integer(number) => (*number).into(),
        Argument::Float(number) => (*number).into(),
        Argument::Decimal { scale, digits } => decimal(*scale, *digits),
        Argument::Text(text) | Argument::Bytes(text) => text_of(text).into(),
        Argument::Timestamp(seconds) => (*seconds).into(),
        // Which of the two it was is not kept.
        Argument::Composite(raw) => TableView::parse(raw).map_or(Value::Null, json_of_table),
    }
}

fn decimal(scale: u8, digits: i32) -> Value {
    (f64::from(digits) / 10_f64.powi(scale.into())).into()
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Properties of a request.
///
/// # Errors
/// A property that is none, or not of its type.
pub(crate) fn properties_of(value: Option<&Value>) -> Result<Properties, Refusal> {
    let body = match value {
        None => Body::default(),
        Some(Value::Object(fields)) => Body(fields.clone()),
        Some(Value::Array(empty)) if empty.is_empty() => Body::default(),
        Some(_) => return Err(Refusal::bad("properties are no object")),
    };
    let text = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= 255 => Ok(Some(text.as_bytes())),
        Some(_) => Err(Refusal::bad(format!("property {name} is no short text"))),
    };
    let number = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad(format!("property {name} is no number"))),
        },
    };
    let octet = |name: &str| match number(name)?.map(u8::try_from) {
        None => Ok(None),
        Some(Ok(octet)) => Ok(Some(octet)),
        Some(Err(_)) => Err(Refusal::bad(format!("property {name} is too large"))),
    };
    let headers = match body.get("headers") {
        None => None,
        given => Some(table_of(given)?),
    };
    let list = PropertyList {
        content_type: text("content_type")?,
        content_encoding: text("content_encoding")?,
        headers: headers.as_ref().map(Table::view),
        delivery_mode: octet("delivery_mode")?,
        priority: octet("priority")?,
        correlation_id: text("correlation_id")?,
        reply_to: text("reply_to")?,
        expiration: text("expiration")?,
        message_id: text("message_id")?,
        timestamp: number("timestamp")?,
        kind: text("type")?,
        user_id: text("user_id")?,
        app_id: text("app_id")?,
        cluster_id: text("cluster_id")?,
    };
    Ok(list.encode())
}

/// Properties as they are told; none at all are an empty list, as RabbitMQ has it.
pub(crate) fn json_of_properties(properties: &Properties) -> Value {
    let Ok(list) = properties.list() else {
        return json!([]);
    };
    let mut fields = Map::new();
    for (name, text) in [
        ("app_id", list.app_id),
        ("cluster_id", list.cluster_id),
        ("content_encoding", list.content_encoding),
        ("content_type", list.content_type),
        ("correlation_id", list.correlation_id),
        ("expiration", list.expiration),
        ("message_id", list.message_id),
        ("reply_to", list.reply_to),
        ("type", list.kind),
        ("user_id", list.user_id),
    ] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), text_of(text).into());
        }
    }
    for (name, number) in [
        ("delivery_mode", list.delivery_mode.map(u64::from)),
        ("priority", list.priority.map(u64::from)),
        ("timestamp", list.timestamp),
    ] {
        if let Some(number) = number {
            fields.insert(name.to_owned(), number.into());
        }
    }
    if let Some(headers) = list.headers {
        fields.insert("headers".to_owned(), json_of_table(headers));
    }
    if fields.is_empty() {
        return json!([]);
    }
    Value::Object(fields)
}

/// A payload as it is told: its encoding, and it.
pub(crate) fn json_of_payload(payload: &[u8], as_base64: bool) -> (&'static str, String) {
    match std::str::from_utf8(payload) {
        Ok(text) if !as_base64 => ("string", text.to_owned()),
        _ => ("base64", STANDARD.encode(payload)),
    }
}
