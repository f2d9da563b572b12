//! One partition of a Produce request on its way to an answer.

use crate::error;
use crate::wire::produce::ProduceOutcome;
use gantry_core::batch::{BatchError, BatchFault};
use gantry_core::model::Timestamp;
use gantry_core::{Error, Receipt};
use kafka_protocol::ResponseError;
use tracing::debug;

/// One partition of a request, before the append.
pub(super) enum Partition {
    Refused(Refusal),
    /// The next receipt is its. The time is set when the topic makes it the records' own.
    ToAppend {
        append_time: Option<Timestamp>,
    },
}

/// One partition of a request, after the append.
pub(super) enum Appended {
    Refused(Refusal),
    Stored {
        receipt: Receipt,
        append_time: Option<Timestamp>,
    },
}

/// Why a partition's records were not stored.
pub(super) struct Refusal {
    pub(super) error: ResponseError,
    pub(super) message: Option<String>,
}

impl Partition {
    pub(super) fn appended(
        self,
        receipts: &mut impl Iterator<Item = Result<Receipt, Error>>,
    ) -> Appended {
        match self {
            Self::Refused(refusal) => Appended::Refused(refusal),
            Self::ToAppend { append_time } => match receipts.next() {
                Some(Ok(receipt)) => Appended::Stored {
                    receipt,
                    append_time,
                },
                Some(Err(error)) => Appended::Refused(Refusal::from(error)),
                None => Appended::Refused(ResponseError::KafkaStorageError.into()),
            },
        }
    }
}

impl Appended {
    pub(super) const fn is_durable(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Stored { receipt, .. } => receipt.is_durable(),
        }
    }

    pub(super) const fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Stored { .. } => None,
        }
    }

    pub(super) async fn durable(self) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal),
            Self::Stored {
                receipt,
                append_time,
            } => match receipt.durable().await {
                Ok(receipt) => Self::Stored {
                    receipt,
                    append_time,
                },
                Err(error) => Self::Refused(Refusal::from(error)),
            },
        }
    }

    pub(super) fn outcome(self) -> ProduceOutcome {
        match self {
            Self::Refused(refusal) => {
                debug!(error = ?refusal.error, message = refusal.message, "produce refused");
                ProduceOutcome {
                    error_code: refusal.error.code(),
                    base_offset: -1,
                    log_append_time_ms: -1,
                    log_start_offset: -1,
                    error_message: refusal.message,
                }
            }
            Self::Stored {
                receipt,
                append_time,
            } => ProduceOutcome {
                error_code: error::NONE,
                base_offset: receipt.base_offset.to_wire(),
                log_append_time_ms: append_time.map_or(-1, Timestamp::millis),
                log_start_offset: receipt.range.start.to_wire(),
                error_message: None,
            },
        }
    }
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self {
            error,
            message: None,
        }
    }
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Self {
        let code = match error.fault() {
            BatchFault::Corrupt => ResponseError::CorruptMessage,
            BatchFault::Invalid => ResponseError::InvalidRecord,
            BatchFault::UnsupportedCompression => ResponseError::UnsupportedCompressionType,
            BatchFault::TooLarge => ResponseError::MessageTooLarge,
        };
        Self {
            error: code,
            message: Some(error.to_string()),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match error {
            // What can be invalid of a batch that parsed are its records.
            Error::Invalid(_) => ResponseError::InvalidRecord,
            _ => error::response_error(&error),
        };
        Self {
            error: code,
            message: Some(error.to_string()),
        }
    }
}
