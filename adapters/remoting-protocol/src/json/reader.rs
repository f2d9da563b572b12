use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess,
    Visitor, value::StrDeserializer,
};
use std::borrow::Cow;
use std::fmt::Display;

/// How deep a body may nest; stock bodies reach 6.
const DEPTH_MAX: usize = 64;

/// Why a body is not what its request needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The bytes are no JSON, not even fastjson's.
    #[error("the body at byte {at}: {expected} expected")]
    Syntax {
        /// Bytes into the body.
        at: usize,
        /// What was due there.
        expected: &'static str,
    },
    /// A value is missing or of the wrong type.
    #[error("the body: {0}")]
    Value(String),
}

impl serde::de::Error for BodyError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

impl serde::ser::Error for BodyError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

/// Reads a whole body. Members that are null count as absent.
pub(crate) fn from_slice<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, BodyError> {
    let text = std::str::from_utf8(body).map_err(|error| BodyError::Syntax {
        at: error.valid_up_to(),
        expected: "UTF-8",
    })?;
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let value = T::deserialize(&mut reader)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.expected("the end")),
    }
}

struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: usize,
}

impl<'de> Reader<'de> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
        self.at = self.at.saturating_add(spaces.count());
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        if is_next {
            self.at = self.at.saturating_add(1);
        }
        is_next
    }

    const fn expected(&self, expected: &'static str) -> BodyError {
        BodyError::Syntax {
            at: self.at,
            expected,
        }
    }

    fn enter(&mut self, open: u8, what: &'static str) -> Result<(), BodyError> {
        if self.depth == DEPTH_MAX {
            return Err(self.expected("less nesting"));
        }
        if !self.take(open) {
            return Err(self.expected(what));
        }
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    const fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The text of a string or the source of a number, name, `true`, `false` or `null`.
    fn scalar(&mut self) -> Result<Cow<'de, str>, BodyError> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.string(quote),
            _ => self.literal().map(Cow::Borrowed),
        }
    }

    fn literal(&mut self) -> Result<&'de str, BodyError> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || "+-._$".contains(letter)))
            .unwrap_or(rest.len());
        let (literal, _) = rest.split_at(end);
        if literal.is_empty() {
            return Err(self.expected("a value"));
        }
        self.at = self.at.saturating_add(end);
        Ok(literal)
    }

    fn string(&mut self, quote: u8) -> Result<Cow<'de, str>, BodyError> {
        self.at = self.at.saturating_add(1);
        let special = |letter: char| letter == char::from(quote) || letter == '\\';
        let mut unescaped = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(end) = rest.find(special) else {
                return Err(self.expected("a string's end"));
            };
            let (plain, after) = rest.split_at(end);
            self.at = self.at.saturating_add(end).saturating_add(1);
            if !after.starts_with('\\') {
                return Ok(if unescaped.is_empty() {
                    Cow::Borrowed(plain)
                } else {
                    unescaped.push_str(plain);
                    Cow::Owned(unescaped)
                });
            }
            unescaped.push_str(plain);
            unescaped.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, BodyError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let letter = rest.chars().next().unwrap_or_default();
        let plain = match letter {
            '"' | '\'' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => return self.utf16(),
            _ => return Err(self.expected("an escape")),
        };
        self.at = self.at.saturating_add(1);
        Ok(plain)
    }

    /// `uXXXX`, or two of them. Half a pair is `?`, as Java encodes it.
    fn utf16(&mut self) -> Result<char, BodyError> {
        let first = self.unit()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        if (0xD800..0xDC00).contains(&first) && rest.starts_with("\\u") {
            let after_first = self.at;
            self.at = self.at.saturating_add(1);
            let second = self.unit()?;
            if let Some(Ok(letter)) = char::decode_utf16([first, second]).next() {
                return Ok(letter);
            }
            self.at = after_first;
        }
        Ok(char::from_u32(u32::from(first)).unwrap_or('?'))
    }

    fn unit(&mut self) -> Result<u16, BodyError> {
        let start = self.at.saturating_add(1);
        let end = start.saturating_add(4);
        let digits = self.text.get(start..end).filter(|digits| {
            let mut digits = digits.bytes();
            digits.all(|digit| digit.is_ascii_hexdigit())
        });
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at = end;
        Ok(unit)
    }

    /// Passes over one value of any kind.
    fn skip(&mut self) -> Result<(), BodyError> {
        match self.peek() {
            Some(b'{') => {
                self.enter(b'{', "{")?;
                while !self.take(b'}') {
                    self.skip()?;
                    self.colon()?;
                    self.skip()?;
                    self.comma(b'}')?;
                }
                self.leave();
            }
            Some(b'[') => {
                self.enter(b'[', "[")?;
                while !self.take(b']') {
                    self.skip()?;
                    self.comma(b']')?;
                }
                self.leave();
            }
            _ => drop(self.scalar()?),
        }
        Ok(())
    }

    fn colon(&mut self) -> Result<(), BodyError> {
        if self.take(b':') {
            Ok(())
        } else {
            Err(self.expected(":"))
        }
    }

    /// A comma, unless the end comes; before which a comma may stand too.
    fn comma(&mut self, end: u8) -> Result<(), BodyError> {
        if self.take(b',') || self.peek() == Some(end) {
            Ok(())
        } else {
            Err(self.expected("a comma"))
        }
    }

    fn takes_null(&mut self) -> bool {
        let before = self.at;
        let is_null = self.peek() == Some(b'n') && self.literal() == Ok("null");
        if !is_null {
            self.at = before;
        }
        is_null
    }

    fn integer<T: TryFrom<i128>>(&mut self, type_name: &'static str) -> Result<T, BodyError> {
        let text = self.scalar()?;
        let number = text.trim().parse::<i128>().ok();
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            BodyError::Value(format!("{shown:?} where {type_name} was expected"))
        })
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
                visitor.$visit(self.integer::<$type>(stringify!($type))?)
            }
        )+
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = BodyError;

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        match self.peek() {
            Some(b'{') => self.deserialize_map(visitor),
            Some(b'[') => self.deserialize_seq(visitor),
            Some(b'"' | b'\'') => self.deserialize_str(visitor),
            _ => match self.literal()? {
                "null" => visitor.visit_unit(),
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                literal => match literal.parse::<i64>() {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => match literal.parse::<f64>() {
                        Ok(number) => visitor.visit_f64(number),
                        Err(_) => visitor.visit_borrowed_str(literal),
                    },
                },
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let text = self.scalar()?;
        visitor.visit_bool(text.eq_ignore_ascii_case("true") || text == "1")
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        let text = self.scalar()?;
        let number = text.parse();
        visitor.visit_f64(number.map_err(|_| BodyError::Value("not a number".to_owned()))?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        if matches!(self.peek(), Some(b'{' | b'[')) {
            return Err(self.expected("text"));
        }
        match self.scalar()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        if self.takes_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.enter(b'[', "[")?;
        let value = visitor.visit_seq(Elements { reader: self })?;
        self.leave();
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.enter(b'{', "{")?;
        let value = visitor.visit_map(Members { reader: self })?;
        self.leave();
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        in_order: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, BodyError> {
        let name = self.scalar()?;
        // RocketMQ's C++ client sends where in the enumeration the value stands.
        let ordinal = name.parse::<usize>().ok();
        let by_ordinal = ordinal.and_then(|ordinal| in_order.get(ordinal));
        visitor.visit_enum(Name(by_ordinal.unwrap_or(&&*name)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.skip()?;
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct tuple tuple_struct }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, BodyError> {
        self.deserialize_str(visitor)
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = BodyError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, BodyError> {
        if self.reader.take(b']') {
            return Ok(None);
        }
        let value = seed.deserialize(&mut *self.reader)?;
        self.reader.comma(b']')?;
        Ok(Some(value))
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = BodyError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, BodyError> {
        loop {
            if self.reader.take(b'}') {
                return Ok(None);
            }
            let key = self.reader.at;
            self.reader.skip()?;
            self.reader.colon()?;
            if !self.reader.takes_null() {
                self.reader.at = key;
                return seed.deserialize(&mut *self.reader).map(Some);
            }
            self.reader.comma(b'}')?;
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, BodyError> {
        self.reader.colon()?;
        let value = seed.deserialize(&mut *self.reader)?;
        self.reader.comma(b'}')?;
        Ok(value)
    }
}

/// The name of an enum's variant.
struct Name<'a>(&'a str);

impl<'de> EnumAccess<'de> for Name<'_> {
    type Error = BodyError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), BodyError> {
        let name: StrDeserializer<'_, BodyError> =
            serde::de::IntoDeserializer::into_deserializer(self.0);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Name<'_> {
    type Error = BodyError;

    fn unit_variant(self) -> Result<(), BodyError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, BodyError> {
        Err(serde::de::Error::custom("a name has no content"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, BodyError> {
        Err(serde::de::Error::custom("a name has no content"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, BodyError> {
        Err(serde::de::Error::custom("a name has no content"))
    }
}
