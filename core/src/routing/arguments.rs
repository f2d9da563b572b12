//! What is said with a binding and in a message's headers, as far as matching tells it apart.

use bytes::Bytes;

/// A field's value. Integers of every width are one, as RabbitMQ compares them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing; in a binding it asks for the header whatever its value.
    Void,
    /// True or false.
    Bool(bool),
    /// Of any width.
    Integer(i64),
    /// Of either width.
    Float(f64),
    /// `digits` with the point `scale` places from the right.
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        digits: i32,
    },
    /// A long string, UTF-8 or not.
    Text(Bytes),
    /// A byte array.
    Bytes(Bytes),
    /// Seconds since 1970.
    Timestamp(u64),
    /// A table or an array as it was written.
    Composite(Bytes),
}

/// Named values in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arguments(Vec<(Box<str>, Value)>);

impl Arguments {
    /// The first value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut named = self.iter().filter(|(known, _)| *known == name);
        named.next().map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl<S: Into<Box<str>>> FromIterator<(S, Value)> for Arguments {
    fn from_iter<I: IntoIterator<Item = (S, Value)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        Self(pairs.map(|(name, value)| (name.into(), value)).collect())
    }
}
