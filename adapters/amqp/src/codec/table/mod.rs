//! Field tables: names and typed values in the sender's order, as RabbitMQ reads them (its tags
//! are not the specification's).
//!
//! ```text
//! table: | length: u32 | field … |     field: | name length: u8 | name | value |
//! array: | length: u32 | value … |     value: | tag: u8 | what the tag says |
//! ```
//!
//! A table is checked once, without recursion, when it is parsed; after that its bytes are read in
//! place. A name may come twice, and a name need not be UTF-8.

mod build;
mod check;
mod value;

pub use build::{ArrayBuilder, TableBuilder};
pub use check::{ELEMENTS_MAX, TABLE_DEPTH_MAX, TableFault};
pub(super) use value::put_long;
pub use value::{Decimal, Value};

use bytes::Bytes;
use std::fmt;
use value::{take_name, take_value};

/// A table that shares the bytes it came with.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Table(Bytes);

/// A table within other bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TableView<'a>(&'a [u8]);

/// An array within other bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ArrayView<'a>(&'a [u8]);

/// One field of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// At most 255 bytes, mostly UTF-8.
    pub name: &'a [u8],
    /// What it is set to.
    pub value: Value<'a>,
    raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// Name and value as they came.
    #[must_use]
    pub const fn raw_bytes(&self) -> &'a [u8] {
        self.raw
    }
}

impl Table {
    /// Checks the bytes after a table's length.
    ///
    /// # Errors
    /// They are not well-formed, or beyond the limits.
    pub fn parse(raw: Bytes) -> Result<Self, TableFault> {
        check::check(&raw)?;
        Ok(Self(raw))
    }

    /// The table to read in.
    #[must_use]
    pub fn view(&self) -> TableView<'_> {
        TableView(&self.0)
    }

    /// The bytes after its length, as they came.
    #[must_use]
    pub const fn raw(&self) -> &Bytes {
        &self.0
    }

    /// The bytes after its length, as they came.
    #[must_use]
    pub fn into_raw(self) -> Bytes {
        self.0
    }
}

impl<'a> TableView<'a> {
    /// Checks the bytes after a table's length.
    ///
    /// # Errors
    /// They are not well-formed, or beyond the limits.
    pub fn parse(raw: &'a [u8]) -> Result<Self, TableFault> {
        check::check(raw)?;
        Ok(Self(raw))
    }

    /// The fields in their order.
    #[must_use]
    pub const fn iter(self) -> Fields<'a> {
        Fields(self.0)
    }

    /// The value of the first field called `name`.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        let mut fields = self.iter();
        let field = fields.find(|field| field.name == name.as_bytes())?;
        Some(field.value)
    }

    /// Whether it has no field.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The bytes after its length.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.0
    }

    /// A copy that stands alone.
    #[must_use]
    pub fn to_table(self) -> Table {
        Table(Bytes::copy_from_slice(self.0))
    }
}

impl<'a> ArrayView<'a> {
    /// The values in their order.
    #[must_use]
    pub const fn iter(self) -> Values<'a> {
        Values(self.0)
    }

    /// The bytes after its length.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.0
    }
}

/// The fields of a table.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let before = self.0;
        // The table was checked: it fails at its end only.
        let name = take_name(&mut self.0).ok()?;
        let value = take_value(&mut self.0).ok()?;
        let raw = before.get(..before.len() - self.0.len())?;
        Some(Field { name, value, raw })
    }
}

/// The values of an array.
#[derive(Clone, Debug)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        take_value(&mut self.0).ok()
    }
}

impl<'a> IntoIterator for TableView<'a> {
    type Item = Field<'a>;
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for ArrayView<'a> {
    type Item = Value<'a>;
    type IntoIter = Values<'a>;

    fn into_iter(self) -> Values<'a> {
        self.iter()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(formatter)
    }
}

impl fmt::Debug for TableView<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |field: &Field<'_>| String::from_utf8_lossy(field.name).into_owned();
        let fields = self.iter().map(|field| (name(&field), field.value));
        formatter.debug_map().entries(fields).finish()
    }
}

impl fmt::Debug for ArrayView<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests;
