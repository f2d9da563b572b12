//! What a request's body must look like, told by tables, and a walk that checks it.
//!
//! `kafka-protocol` reserves a vector from each count on the wire before it has seen an element,
//! so a few bytes could abort the process. A body reaches it only after [`check`] has stepped
//! over every element and length that the body announces.

use super::{
    DecodeError,
    reader::{Count, Reader},
};

/// The form of one value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// So many bytes: numbers, booleans, topic ids.
    Fixed(usize),
    /// A text, null or not.
    Text,
    /// Bytes with a 32-bit or compact length, null or not.
    Blob,
    /// An array, null or not.
    Array(&'static Self),
    /// Fields in order, then tagged fields in flexible versions.
    Struct(&'static [Field]),
}

/// A field and the versions that have it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    kind: Kind,
    first: i16,
    last: i16,
}

impl Field {
    /// Whether `version` has the field.
    #[must_use]
    pub fn is_in(&self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    /// The form of its value.
    #[must_use]
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }
}

/// A request's body.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The first version with compact lengths and tagged fields.
    pub flexible_from: i16,
    /// The body's fields in order.
    pub fields: &'static [Field],
}

/// The shape of a body that has its own decoder: only where the flexible versions begin.
#[must_use]
pub const fn flexible_from(flexible_from: i16) -> Shape {
    Shape {
        flexible_from,
        fields: &[],
    }
}

/// A field of every version.
#[must_use]
pub const fn always(kind: Kind) -> Field {
    between(0, i16::MAX, kind)
}

/// A field of version `first` and later.
#[must_use]
pub const fn since(first: i16, kind: Kind) -> Field {
    between(first, i16::MAX, kind)
}

/// A field up to version `last`.
#[must_use]
pub const fn until(last: i16, kind: Kind) -> Field {
    between(0, last, kind)
}

/// A field of versions `first` to `last`.
#[must_use]
pub const fn between(first: i16, last: i16, kind: Kind) -> Field {
    Field { kind, first, last }
}

/// Walks `body` and answers how many bytes of it `shape` covers. Bytes after that are nobody's:
/// Apache Kafka ignores them too.
///
/// # Errors
/// A length or count that the bytes do not bear out, or more than `elements_max` elements of
/// arrays and tagged fields together.
pub fn check(
    body: &[u8],
    shape: &Shape,
    version: i16,
    elements_max: usize,
) -> Result<usize, DecodeError> {
    let mut walk = Walk {
        reader: Reader::new(body),
        version,
        flexible: version >= shape.flexible_from,
        elements: 0,
        elements_max,
    };
    walk.fields(shape.fields)?;
    Ok(walk.reader.position())
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    elements: usize,
    elements_max: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Result<(), DecodeError> {
        for field in fields {
            if field.is_in(self.version) {
                self.value(&field.kind)?;
            }
        }
        let (elements, limit) = (&mut self.elements, self.elements_max);
        self.reader.tagged_fields(self.flexible, |_, _| {
            *elements += 1;
            if *elements > limit {
                return Err(DecodeError::TooManyElements(limit));
            }
            Ok(())
        })
    }

    fn value(&mut self, kind: &Kind) -> Result<(), DecodeError> {
        match kind {
            Kind::Fixed(length) => self.reader.take(*length).map(drop),
            Kind::Text => self.reader.raw_text(self.flexible).map(drop),
            Kind::Blob => self.reader.blob(self.flexible).map(drop),
            Kind::Struct(fields) => self.fields(fields),
            Kind::Array(element) => {
                let Count::Elements(count) = self.reader.count(self.flexible)? else {
                    return Ok(());
                };
                for _ in 0..count {
                    self.elements += 1;
                    if self.elements > self.elements_max {
                        return Err(DecodeError::TooManyElements(self.elements_max));
                    }
                    self.value(element)?;
                }
                Ok(())
            }
        }
    }
}
