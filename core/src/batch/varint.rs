//! Zig-zag numbers of variable length, as Protocol Buffers has them.

use super::RecordFault;

/// What is left to read of a record or of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn u8(&mut self) -> Result<u8, RecordFault> {
        let (first, rest) = self.0.split_first().ok_or(RecordFault::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(RecordFault::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn i32(&mut self) -> Result<i32, RecordFault> {
        // Lengths and deltas of most records fit one byte.
        if let Some((&first, rest)) = self.0.split_first()
            && first < 0x80
        {
            self.0 = rest;
            return Ok(i32::from(first >> 1) ^ -i32::from(first & 1));
        }
        let raw = u32::try_from(self.raw::<5>()?).map_err(|_| RecordFault::Varint)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    pub(super) fn i64(&mut self) -> Result<i64, RecordFault> {
        let raw = self.raw::<10>()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A length and as many bytes; `None` for null, which is -1.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.sized(length).map(Some),
        }
    }

    pub(super) fn sized(&mut self, length: i32) -> Result<&'a [u8], RecordFault> {
        let count = usize::try_from(length).map_err(|_| RecordFault::Length(length))?;
        self.take(count)
    }

    fn raw<const MAX: usize>(&mut self) -> Result<u64, RecordFault> {
        let mut value = 0_u64;
        for (index, &byte) in self.0.iter().take(MAX).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(if self.0.len() < MAX {
            RecordFault::Truncated
        } else {
            RecordFault::Varint
        })
    }
}

pub(super) fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_raw(
        out,
        u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()),
    );
}

pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_raw(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

fn put_raw(out: &mut Vec<u8>, mut raw: u64) {
    while raw >= 0x80 {
        out.push(low_seven(raw) | 0x80);
        raw >>= 7;
    }
    out.push(low_seven(raw));
}

/// Bytes [`put_i32`] writes.
pub(super) const fn i32_bytes(value: i32) -> usize {
    i64_bytes(value as i64)
}

/// Bytes [`put_i64`] writes.
pub(super) const fn i64_bytes(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)).cast_unsigned() | 1;
    (64 - raw.leading_zeros() as usize).div_ceil(7)
}

const fn low_seven(raw: u64) -> u8 {
    (raw & 0x7f) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_as_written_in_as_many_bytes_as_said(short: i32, long: i64) {
            let mut out = Vec::new();
            put_i32(&mut out, short);
            prop_assert_eq!(out.len(), i32_bytes(short));
            put_i64(&mut out, long);
            prop_assert_eq!(out.len(), i32_bytes(short) + i64_bytes(long));
            let mut reader = Reader(&out);
            prop_assert_eq!(reader.i32().unwrap(), short);
            prop_assert_eq!(reader.i64().unwrap(), long);
            prop_assert!(reader.0.is_empty());
        }
    }

    #[test]
    fn a_number_that_does_not_end_is_refused() {
        assert_eq!(Reader(&[0xff; 5]).i32(), Err(RecordFault::Varint));
        assert_eq!(Reader(&[0xff; 4]).i32(), Err(RecordFault::Truncated));
        assert_eq!(Reader(&[0xff; 11]).i64(), Err(RecordFault::Varint));
        assert_eq!(
            Reader(&[0xff, 0xff, 0xff, 0xff, 0x7f]).i32(),
            Err(RecordFault::Varint)
        );
        assert_eq!(Reader(&[]).i32(), Err(RecordFault::Truncated));
    }
}
