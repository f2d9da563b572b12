//! What is said with a binding and in a message's headers, as far as matching tells it apart.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A field's value. Integers of every width are one, as RabbitMQ compares them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing; in a binding it asks for the header whatever its value.
    Void,
    /// True or false.
    Bool(bool),
    /// Of any width.
    Integer(i64),
    /// Of either width.
    Float(#[serde(with = "bits")] f64),
    /// `digits` with the point `scale` places from the right.
    Decimal {
        /// Digits behind the point.
        scale: u8,
        /// All digits.
        digits: i32,
    },
    /// A long string, UTF-8 or not.
    Text(#[serde(with = "encoded")] Bytes),
    /// A byte array.
    Bytes(#[serde(with = "encoded")] Bytes),
    /// Seconds since 1970.
    Timestamp(u64),
    /// A table or an array as it was written.
    Composite(#[serde(with = "encoded")] Bytes),
}

/// Named values in the order they were given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
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

/// JSON has no number for some of them.
mod bits {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

/// JSON has no bytes: base64.
mod encoded {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        STANDARD_NO_PAD.encode(bytes).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)?;
        Ok(bytes.into())
    }
}
