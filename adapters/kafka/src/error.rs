//! Core's errors in Kafka's codes.
#![deny(clippy::wildcard_enum_match_arm)]

use gantry_core::Error;
use kafka_protocol::ResponseError;

/// The code of no error.
pub(crate) const NONE: i16 = 0;

/// The code that answers `error`. Nothing on the data path answers UNKNOWN_SERVER_ERROR, which
/// Java producers do not retry and Streams dies of; a failed store is KAFKA_STORAGE_ERROR.
#[must_use]
pub fn response_error(error: &Error) -> ResponseError {
    match error {
        Error::TopicNotFound(_) | Error::QueueNotFound { .. } => {
            ResponseError::UnknownTopicOrPartition
        }
        Error::GroupNotFound(_) => ResponseError::GroupIdNotFound,
        Error::GroupNotEmpty(_) => ResponseError::NonEmptyGroup,
        Error::AlreadyExists(_) => ResponseError::TopicAlreadyExists,
        Error::OffsetOutOfRange { .. } => ResponseError::OffsetOutOfRange,
        Error::MessageTooLarge { .. } => ResponseError::MessageTooLarge,
        Error::Invalid(_) => ResponseError::InvalidRequest,
        Error::CorruptBatch(_) | Error::Damaged(_) => ResponseError::CorruptMessage,
        Error::OutOfOrderSequence { .. } => ResponseError::OutOfOrderSequenceNumber,
        Error::ProducerFenced { .. } => ResponseError::InvalidProducerEpoch,
        Error::Unauthenticated => ResponseError::SaslAuthenticationFailed,
        Error::Forbidden(_) => ResponseError::TopicAuthorizationFailed,
        Error::Busy(_) | Error::FlushTimeout => ResponseError::RequestTimedOut,
        Error::ShuttingDown => ResponseError::BrokerNotAvailable,
        Error::DiskFull | Error::Storage(_) => ResponseError::KafkaStorageError,
        Error::Internal(_) => ResponseError::UnknownServerError,
    }
}

/// The code that answers `error`, as it stands on the wire.
#[must_use]
pub(crate) fn code(error: &Error) -> i16 {
    response_error(error).code()
}
