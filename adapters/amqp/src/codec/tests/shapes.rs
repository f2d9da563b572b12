//! Methods as the specification and RabbitMQ's extensions lay them out, written down a second
//! time and apart from the codec: what must be read, and what an independent codec must agree on.

use super::{frame, method_payload};
use crate::codec::table::{ArrayBuilder, Decimal, TableBuilder};
use crate::codec::{ClientMethod, MethodId, ServerMethod, Table, Value};
use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

/// Fields in order: `1` `2` `4` `8` integers, `s` short and `l` long string, `b` flag, `t` table.
/// Capitals are fields that the protocol has given up, which lapin's codec does not keep: `T` a
/// ticket, `O` one that is 1, `Q` four octets, `S` `L` `B` as the small ones.
pub(super) const CLIENT: &[(u16, u16, &str)] = &[
    (10, 11, "tsls"),
    (10, 21, "l"),
    (10, 31, "242"),
    (10, 40, "sSB"),
    (10, 50, "2s22"),
    (10, 51, ""),
    (10, 70, "ls"),
    (20, 10, "S"),
    (20, 20, "b"),
    (20, 21, "b"),
    (20, 40, "2s22"),
    (20, 41, ""),
    (30, 10, "sbbbbb"),
    (40, 10, "Tssbbbbbt"),
    (40, 20, "Tsbb"),
    (40, 30, "Tsssbt"),
    (40, 40, "Tsssbt"),
    (50, 10, "Tsbbbbbt"),
    (50, 20, "Tsssbt"),
    (50, 30, "Tsb"),
    (50, 40, "Tsbbb"),
    (50, 50, "Tssst"),
    (60, 10, "Q2b"),
    (60, 20, "Tssbbbbt"),
    (60, 30, "sb"),
    (60, 31, "s"),
    (60, 40, "Tssbb"),
    (60, 70, "Tsb"),
    (60, 80, "8b"),
    (60, 90, "8b"),
    (60, 100, "b"),
    (60, 110, "b"),
    (60, 120, "8bb"),
    (85, 10, "b"),
    (90, 10, ""),
    (90, 20, ""),
    (90, 30, ""),
];

pub(super) const SERVER: &[(u16, u16, &str)] = &[
    (10, 10, "11tll"),
    (10, 20, "l"),
    (10, 30, "242"),
    (10, 41, "S"),
    (10, 50, "2s22"),
    (10, 51, ""),
    (10, 60, "s"),
    (10, 61, ""),
    (10, 71, ""),
    (20, 11, "L"),
    (20, 20, "b"),
    (20, 21, "b"),
    (20, 40, "2s22"),
    (20, 41, ""),
    (30, 11, "O"),
    (40, 11, ""),
    (40, 21, ""),
    (40, 31, ""),
    (40, 51, ""),
    (50, 11, "s44"),
    (50, 21, ""),
    (50, 31, "4"),
    (50, 41, "4"),
    (50, 51, ""),
    (60, 11, ""),
    (60, 21, "s"),
    (60, 30, "sb"),
    (60, 31, "s"),
    (60, 50, "2sss"),
    (60, 60, "s8bss"),
    (60, 71, "8bss4"),
    (60, 72, "S"),
    (60, 80, "8b"),
    (60, 111, ""),
    (60, 120, "8bb"),
    (85, 11, ""),
    (90, 11, ""),
    (90, 21, ""),
    (90, 31, ""),
];

fn ids(shapes: &[(u16, u16, &str)]) -> Vec<MethodId> {
    let ids = shapes.iter();
    ids.map(|(class, method, _)| MethodId::new(*class, *method))
        .collect()
}

#[test]
fn every_method_is_here_and_none_twice() {
    for (shapes, known) in [(CLIENT, ClientMethod::IDS), (SERVER, ServerMethod::IDS)] {
        let mut known = known.to_vec();
        known.sort_unstable();
        assert_eq!(ids(shapes), known);
    }
}

/// Bytes that depend on nothing but a seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % count
    }

    pub(super) fn octets(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_be_bytes()[0]).collect()
    }

    pub(super) fn text(&mut self) -> String {
        let count = self.below(12);
        (0..count)
            .map(|_| ['a', 'Z', '.', '#', 'ä', '€', '🚀'][self.below(7)])
            .collect()
    }
}

/// Arguments of a shape. What was given up has its only value unless `all`.
pub(super) fn arguments(shape: &str, all: bool, random: &mut Random) -> BytesMut {
    let mut out = BytesMut::new();
    let mut flags = 0;
    for field in shape.chars() {
        let given_up = field.is_ascii_uppercase() && !all;
        if matches!(field, 'b' | 'B') {
            if flags == 0 {
                out.put_u8(0);
            }
            let is_set = random.below(2) == 1 && !given_up;
            *out.last_mut().unwrap() |= u8::from(is_set) << flags;
            flags += 1;
            continue;
        }
        flags = 0;
        match (field, given_up) {
            ('1', _) => out.put_slice(&random.octets(1)),
            ('2', _) | ('T' | 'O', false) => out.put_slice(&random.octets(2)),
            ('4', _) | ('Q', false) => out.put_slice(&random.octets(4)),
            ('8', _) => out.put_slice(&random.octets(8)),
            ('T', true) => out.put_u16(0),
            ('O', true) => out.put_u16(1),
            ('Q' | 'L', true) => out.put_u32(0),
            ('S', true) => out.put_u8(0),
            ('s' | 'S', _) => put_short(&random.text(), &mut out),
            ('l' | 'L', _) => {
                let count = random.below(300);
                put_long(&random.octets(count), &mut out);
            }
            ('t', _) => put_long(table(random, 3).raw(), &mut out),
            other => panic!("{other:?}"),
        }
    }
    out
}

pub(super) fn put_short(text: &str, out: &mut BytesMut) {
    out.put_u8(u8::try_from(text.len()).unwrap());
    out.put_slice(text.as_bytes());
}

pub(super) fn put_long(bytes: &[u8], out: &mut BytesMut) {
    out.put_u32(u32::try_from(bytes.len()).unwrap());
    out.put_slice(bytes);
}

/// A table of every type, its names in order and each once, which is all lapin's codec keeps.
pub(super) fn table(random: &mut Random, depth: usize) -> Table {
    let mut builder = TableBuilder::new();
    for index in 0..random.below(6) {
        let name = format!("{index}{}", random.text());
        with_value(random, depth, &mut |value| {
            builder.put(&name, value);
        });
    }
    builder.build()
}

fn with_value(random: &mut Random, depth: usize, take: &mut dyn FnMut(Value<'_>)) {
    let [one, ..] = random.next().to_be_bytes();
    let eight = random.next();
    let [.., b4, b5, b6, b7] = eight.to_be_bytes();
    let four = u32::from_be_bytes([b4, b5, b6, b7]);
    let text = random.text();
    take(match random.below(17) {
        0 => Value::Bool(one & 1 == 1),
        1 => Value::I8(i8::from_be_bytes([one])),
        2 => Value::U8(one),
        3 => Value::I16(i16::from_be_bytes([b4, b5])),
        4 => Value::U16(u16::from_be_bytes([b4, b5])),
        5 => Value::I32(i32::from_be_bytes([b4, b5, b6, b7])),
        6 => Value::U32(four),
        7 => Value::I64(i64::from_be_bytes(eight.to_be_bytes())),
        8 => Value::F32(f32::from_bits(four)),
        9 => Value::F64(f64::from_bits(eight)),
        10 => Value::Decimal(Decimal {
            scale: one,
            value: i32::from_be_bytes([b4, b5, b6, b7]),
        }),
        11 => Value::LongString(text.as_bytes()),
        12 => Value::Bytes(text.as_bytes()),
        13 => Value::Timestamp(eight),
        14 if depth > 0 => return take(Value::Table(table(random, depth - 1).view())),
        15 if depth > 0 => {
            let mut array = ArrayBuilder::new();
            for _ in 0..random.below(4) {
                with_value(random, depth - 1, &mut |value| {
                    array.push(value);
                });
            }
            return take(Value::Array(array.view()));
        }
        _ => Value::Void,
    });
}

proptest! {
    #[test]
    fn every_method_is_written_as_it_was_read(seed: u64, all: bool, channel: u16) {
        let mut random = Random::new(seed);
        for (class, method, shape) in CLIENT {
            let id = MethodId::new(*class, *method);
            let payload = method_payload(id, &arguments(shape, all, &mut random));
            let read = ClientMethod::decode(&payload).unwrap();
            let mut out = BytesMut::new();
            read.encode(channel, &mut out);
            prop_assert_eq!(&out, &frame(1, channel, &payload), "{:?}", read);
        }
        for (class, method, shape) in SERVER {
            let id = MethodId::new(*class, *method);
            let payload = method_payload(id, &arguments(shape, all, &mut random));
            let read = ServerMethod::decode(&payload).unwrap();
            let mut out = BytesMut::new();
            read.encode(channel, &mut out);
            prop_assert_eq!(&out, &frame(1, channel, &payload), "{:?}", read);
        }
    }
}
