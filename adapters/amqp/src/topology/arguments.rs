//! Tables of methods as core's arguments.

use crate::codec::TableView;
use crate::codec::table::{Decimal, Value as Field};
use bytes::Bytes;
use gantry_core::routing::{Arguments, Value};

/// All of a table whose names are text; others no exchange and no queue can look for.
pub(super) fn arguments_of(table: TableView<'_>) -> Arguments {
    let fields = table.iter();
    let named = fields.filter_map(|field| {
        let name = std::str::from_utf8(field.name).ok()?;
        Some((name, value_of(field.value)))
    });
    named.collect()
}

/// A value, its integers without their width.
pub(crate) fn value_of(value: Field<'_>) -> Value {
    if let Some(number) = value.integer() {
        return Value::Integer(number);
    }
    let copy = Bytes::copy_from_slice;
    match value {
        Field::Bool(value) => Value::Bool(value),
        Field::F32(value) => Value::Float(value.into()),
        Field::F64(value) => Value::Float(value),
        Field::Decimal(Decimal { scale, value }) => Value::Decimal {
            scale,
            digits: value,
        },
        Field::LongString(text) => Value::Text(copy(text)),
        Field::Bytes(bytes) => Value::Bytes(copy(bytes)),
        Field::Timestamp(seconds) => Value::Timestamp(seconds),
        Field::Array(array) => Value::Composite(copy(array.raw())),
        Field::Table(table) => Value::Composite(copy(table.raw())),
        // The integers are gone.
        _ => Value::Void,
    }
}

/// What RabbitMQ calls the type of a value.
pub(crate) const fn type_name(value: Field<'_>) -> &'static str {
    match value {
        Field::Bool(_) => "bool",
        Field::I8(_) => "byte",
        Field::U8(_) => "unsignedbyte",
        Field::I16(_) => "short",
        Field::U16(_) => "unsignedshort",
        Field::I32(_) => "signedint",
        Field::U32(_) => "unsignedint",
        Field::I64(_) => "long",
        Field::F32(_) => "float",
        Field::F64(_) => "double",
        Field::Decimal(_) => "decimal",
        Field::LongString(_) => "longstr",
        Field::Array(_) => "array",
        Field::Timestamp(_) => "timestamp",
        Field::Table(_) => "table",
        Field::Void => "void",
        Field::Bytes(_) => "binary",
    }
}
