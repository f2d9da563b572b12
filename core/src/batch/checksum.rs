//! The two checksums of the log and its protocols, with the processor's own instructions.
//! Each is the fastest of two crates at every size (`benches/batch.rs`): of `crc-fast` and `crc32c`
//! the first, of `crc-fast` and `crc32fast` the second, by twice below 200 bytes.

/// CRC-32C (Castagnoli), which record batches carry.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// CRC-32 (IEEE), which RocketMQ's records carry without its top bit.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_give_the_catalogue_check_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
