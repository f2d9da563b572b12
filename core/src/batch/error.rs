use super::Codec;

/// What is wrong with a record batch. Every variant has the facts an answer or a log line needs;
/// [`BatchError::fault`] groups them as a producer must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Fewer bytes than a header has, none included.
    #[error("{bytes} bytes are less than a batch header")]
    TooShort {
        /// Bytes there were.
        bytes: usize,
    },
    /// The length field asks for more bytes than there are.
    #[error("the batch has {expected} bytes, {bytes} came")]
    Truncated {
        /// Bytes by the length field, prefix included.
        expected: usize,
        /// Bytes there were.
        bytes: usize,
    },
    /// The length field is negative or less than a header needs.
    #[error("a batch length of {0}")]
    Length(i32),
    /// Not magic 2.
    #[error("batch magic {0}, not 2")]
    Magic(i8),
    /// The CRC-32C does not match the bytes.
    #[error("the batch checksum is {computed:#010x}, its header says {declared:#010x}")]
    Checksum {
        /// What the header says.
        declared: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// A second batch follows in the same partition of one request.
    #[error("more than one batch")]
    MoreThanOne,
    /// The record count is not the last offset delta + 1, or not positive.
    #[error("{count} records with a last offset delta of {last_offset_delta}")]
    Count {
        /// The record count.
        count: i32,
        /// The last record's offset less the first one's.
        last_offset_delta: i32,
    },
    /// More records are claimed than the bytes can hold.
    #[error("{count} records claimed where at most {limit} can be")]
    TooManyRecords {
        /// The record count.
        count: u32,
        /// The greatest count possible.
        limit: u32,
    },
    /// A producer must leave the base offset 0.
    #[error("a base offset of {0} from a producer")]
    BaseOffset(i64),
    /// Control batches are the broker's to write.
    #[error("a control batch from a producer")]
    Control,
    /// A producer id without an epoch or a sequence number.
    #[error("producer {producer_id} with epoch {producer_epoch} and sequence {base_sequence}")]
    Sequence {
        /// The producer's id.
        producer_id: i64,
        /// Its epoch.
        producer_epoch: i16,
        /// The first record's sequence number.
        base_sequence: i32,
    },
    /// No codec has this number.
    #[error("unknown compression {0}")]
    Compression(u8),
    /// The compressed records do not decompress.
    #[error("the {0} records do not decompress")]
    Decompress(Codec),
    /// The records decompress to more than allowed.
    #[error("the records decompress to more than {limit} bytes")]
    DecompressedTooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// The records do not compress; no input does that.
    #[error("the records do not compress with {0}")]
    Compress(Codec),
    /// A record does not parse.
    #[error("record {index}: {fault}")]
    Record {
        /// The record's place in its batch.
        index: u32,
        /// What is wrong with it.
        fault: RecordFault,
    },
}

/// What is wrong with one record of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The batch ends inside the record.
    #[error("the batch ends inside it")]
    Truncated,
    /// A variable-length number of more bytes than its type has.
    #[error("a number does not end")]
    Varint,
    /// A negative length where null is not allowed, or below -1.
    #[error("a length of {0}")]
    Length(i32),
    /// The fields end before or after the record's own length.
    #[error("its fields do not fill its length")]
    Unfilled,
    /// The offset delta does not rise, or passes the batch's last one.
    #[error("an offset delta of {0}")]
    OffsetDelta(i32),
    /// Bytes after the last record.
    #[error("bytes follow the last record")]
    Trailing,
}

/// How a producer is told of a [`BatchError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFault {
    /// The bytes changed on the way: sending them again may help (Kafka: CORRUPT_MESSAGE).
    Corrupt,
    /// The producer made it so (Kafka: INVALID_RECORD).
    Invalid,
    /// Kafka: UNSUPPORTED_COMPRESSION_TYPE.
    UnsupportedCompression,
    /// Kafka: MESSAGE_TOO_LARGE.
    TooLarge,
}

impl BatchError {
    /// Whose fault it is. As Apache Kafka 4.3 answers, but for an unknown codec, which it answers
    /// with an internal error.
    #[must_use]
    pub const fn fault(&self) -> BatchFault {
        match self {
            Self::Length(_) | Self::Checksum { .. } => BatchFault::Corrupt,
            // The old formats are known and refused, a later one can only be noise.
            Self::Magic(0 | 1) => BatchFault::Invalid,
            Self::Magic(_) => BatchFault::Corrupt,
            Self::Compression(_) => BatchFault::UnsupportedCompression,
            Self::DecompressedTooLarge { .. } => BatchFault::TooLarge,
            Self::TooShort { .. }
            | Self::Truncated { .. }
            | Self::MoreThanOne
            | Self::Count { .. }
            | Self::TooManyRecords { .. }
            | Self::BaseOffset(_)
            | Self::Control
            | Self::Sequence { .. }
            | Self::Decompress(_)
            | Self::Compress(_)
            | Self::Record { .. } => BatchFault::Invalid,
        }
    }
}
