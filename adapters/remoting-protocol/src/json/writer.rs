use super::BodyError;
use crate::codec::{put_decimal, put_escaped};
use bytes::{BufMut, Bytes, BytesMut};
use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, Serializer,
};

/// Which of the two JSON forms a body is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// fastjson's own: numbers as keys without quotes. What stock peers write by default.
    #[default]
    Fastjson,
    /// JSON proper, all of it ASCII: what routes are for versions from 4.9.4 on. Objects as keys
    /// still stand as they are; there is no other form for them.
    Standard,
}

/// Writes a body: nothing for `None`, members in the struct's order.
pub(crate) fn to_bytes<T: Serialize>(value: &T, style: Style) -> Bytes {
    let mut writer = Writer {
        out: BytesMut::new(),
        style,
        is_key: false,
    };
    match value.serialize(&mut writer) {
        Ok(()) => writer.out.freeze(),
        // Only enums with content, bytes and tuple structs fail, and no body has one.
        Err(_) => Bytes::from_static(b"null"),
    }
}

struct Writer {
    out: BytesMut,
    style: Style,
    /// What comes next is a map's key.
    is_key: bool,
}

impl Writer {
    fn number(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let is_quoted = std::mem::take(&mut self.is_key) && self.style == Style::Standard;
        if is_quoted {
            self.out.put_u8(b'"');
        }
        write(&mut self.out);
        if is_quoted {
            self.out.put_u8(b'"');
        }
    }

    fn text(&mut self, text: &str) {
        self.is_key = false;
        self.out.put_u8(b'"');
        if self.style == Style::Standard && !text.is_ascii() {
            for letter in text.chars() {
                self.ascii(letter);
            }
        } else {
            put_escaped(&mut self.out, text);
        }
        self.out.put_u8(b'"');
    }

    fn ascii(&mut self, letter: char) {
        let mut place = [0u8; 4];
        if letter.is_ascii() {
            put_escaped(&mut self.out, letter.encode_utf8(&mut place));
            return;
        }
        let mut units = [0u16; 2];
        for unit in letter.encode_utf16(&mut units) {
            self.out.put_slice(format!("\\u{unit:04X}").as_bytes());
        }
    }

    fn open(&mut self, bracket: u8, close: u8) -> Compound<'_> {
        self.is_key = false;
        self.out.put_u8(bracket);
        Compound {
            writer: self,
            close,
            is_first: true,
        }
    }
}

/// An array, map or struct being written.
struct Compound<'a> {
    writer: &'a mut Writer,
    close: u8,
    is_first: bool,
}

impl Compound<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.writer.out.put_u8(b',');
        }
    }

    fn close(self) {
        self.writer.out.put_u8(self.close);
    }
}

macro_rules! integers {
    ($($method:ident $type:ty;)+) => {
        $(
            fn $method(self, value: $type) -> Result<(), BodyError> {
                self.number(|out| put_decimal(out, i64::from(value)));
                Ok(())
            }
        )+
    };
}

fn unwritable<T>() -> Result<T, BodyError> {
    Err(serde::ser::Error::custom("no body has such a value"))
}

impl<'a> Serializer for &'a mut Writer {
    type Ok = ();
    type Error = BodyError;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeTupleStruct = Impossible<(), BodyError>;
    type SerializeTupleVariant = Impossible<(), BodyError>;
    type SerializeStructVariant = Impossible<(), BodyError>;

    integers! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
    }

    fn serialize_u64(self, value: u64) -> Result<(), BodyError> {
        self.number(|out| out.put_slice(value.to_string().as_bytes()));
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), BodyError> {
        self.serialize_f64(f64::from(value))
    }

    /// With a point always, as Java writes doubles.
    fn serialize_f64(self, value: f64) -> Result<(), BodyError> {
        if value.is_finite() {
            self.number(|out| out.put_slice(format!("{value:?}").as_bytes()));
        } else {
            self.out.put_slice(b"null");
        }
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), BodyError> {
        self.is_key = false;
        self.out.put_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), BodyError> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), BodyError> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), BodyError> {
        unwritable()
    }

    fn serialize_none(self) -> Result<(), BodyError> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), BodyError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), BodyError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), BodyError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), BodyError> {
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), BodyError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), BodyError> {
        unwritable()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>, BodyError> {
        Ok(self.open(b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>, BodyError> {
        Ok(self.open(b'[', b']'))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, BodyError> {
        unwritable()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, BodyError> {
        unwritable()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>, BodyError> {
        Ok(self.open(b'{', b'}'))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>, BodyError> {
        Ok(self.open(b'{', b'}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, BodyError> {
        unwritable()
    }
}

impl SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = BodyError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BodyError> {
        self.separate();
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), BodyError> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Compound<'_> {
    type Ok = ();
    type Error = BodyError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BodyError> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), BodyError> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = BodyError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), BodyError> {
        self.separate();
        self.writer.is_key = true;
        key.serialize(&mut *self.writer)?;
        self.writer.is_key = false;
        self.writer.out.put_u8(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BodyError> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), BodyError> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = BodyError;

    /// A member that writes nothing is `None`, and leaves no trace.
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), BodyError> {
        let before = (self.writer.out.len(), self.is_first);
        self.separate();
        self.writer.text(name);
        self.writer.out.put_u8(b':');
        let start = self.writer.out.len();
        value.serialize(&mut *self.writer)?;
        if self.writer.out.len() == start {
            self.writer.out.truncate(before.0);
            self.is_first = before.1;
        }
        Ok(())
    }

    fn end(self) -> Result<(), BodyError> {
        self.close();
        Ok(())
    }
}
