//! What goes wrong, in RocketMQ's codes.

#![deny(clippy::wildcard_enum_match_arm)]

use gantry_core::Error;
use gantry_remoting_protocol::body::BodyError;
use gantry_remoting_protocol::{FieldError, ResponseCode};

/// The last line of remarks about missing topics and groups, as clients' users search for it.
pub(crate) const FAQ: &str =
    "See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// A request that fails: the code and remark of its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ResponseCode,
    pub(crate) remark: String,
}

impl Refusal {
    pub(crate) fn new(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self {
            code,
            remark: remark.into(),
        }
    }

    pub(crate) fn topic_not_found(topic: &str) -> Self {
        let remark = format!("topic[{topic}] not exist, apply first please!\n{FAQ}");
        Self::new(ResponseCode::TopicNotExist, remark)
    }

    pub(crate) fn group_not_found(group: &str) -> Self {
        let remark = format!("subscription group [{group}] does not exist, \n{FAQ}");
        Self::new(ResponseCode::SubscriptionGroupNotExist, remark)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::TopicNotFound(topic) => return Self::topic_not_found(topic.as_str()),
            Error::GroupNotFound(group) => return Self::group_not_found(group.as_str()),
            Error::QueueNotFound { .. } => ResponseCode::InvalidParameter,
            Error::AlreadyExists(_) => ResponseCode::TopicExistAlready,
            Error::OffsetOutOfRange { .. } => ResponseCode::PullOffsetMoved,
            Error::MessageTooLarge { .. }
            | Error::Invalid(_)
            | Error::CorruptBatch(_)
            | Error::OutOfOrderSequence { .. }
            | Error::ProducerFenced { .. } => ResponseCode::MessageIllegal,
            Error::Unauthenticated | Error::Forbidden(_) => ResponseCode::NoPermission,
            Error::Busy(_) => ResponseCode::SystemBusy,
            Error::FlushTimeout => ResponseCode::FlushDiskTimeout,
            Error::ShuttingDown | Error::DiskFull => ResponseCode::ServiceNotAvailable,
            Error::GroupNotEmpty(_)
            | Error::Damaged(_)
            | Error::Storage(_)
            | Error::Internal(_) => ResponseCode::SystemError,
        };
        Self::new(code, error.to_string())
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::new(ResponseCode::SystemError, error.to_string())
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::new(ResponseCode::SystemError, error.to_string())
    }
}
