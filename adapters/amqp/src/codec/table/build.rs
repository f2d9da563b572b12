//! Tables of our own.

use super::{Field, Table, TableView, Value};
use crate::codec::ShortString;
use bytes::{BufMut, BytesMut};

/// Writes a table field by field.
#[derive(Clone, Debug, Default)]
pub struct TableBuilder {
    out: BytesMut,
}

impl TableBuilder {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field behind the others; one of the same name stays. The name is cut at 255 bytes,
    /// which is for the caller to know of.
    pub fn put(&mut self, name: &str, value: Value<'_>) -> &mut Self {
        let name = ShortString::cut(name);
        self.out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.out.put_slice(name.as_bytes());
        value.write(&mut self.out);
        self
    }

    /// Adds a field of another table, byte for byte.
    pub fn copy(&mut self, field: &Field<'_>) -> &mut Self {
        self.out.put_slice(field.raw);
        self
    }

    /// Adds the fields of `table` byte for byte, but those called as one of `names`.
    pub fn copy_without(&mut self, table: TableView<'_>, names: &[&str]) -> &mut Self {
        for field in table {
            if !names.iter().any(|name| name.as_bytes() == field.name) {
                self.copy(&field);
            }
        }
        self
    }

    /// The table.
    #[must_use]
    pub fn build(&mut self) -> Table {
        Table(self.out.split().freeze())
    }
}

/// Writes an array value by value.
#[derive(Clone, Debug, Default)]
pub struct ArrayBuilder {
    out: BytesMut,
}

impl ArrayBuilder {
    /// An empty array.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value behind the others.
    pub fn push(&mut self, value: Value<'_>) -> &mut Self {
        value.write(&mut self.out);
        self
    }

    /// The array, to be read as long as this lives.
    #[must_use]
    pub fn view(&self) -> super::ArrayView<'_> {
        super::ArrayView(&self.out)
    }
}
