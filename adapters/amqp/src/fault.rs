//! What ends a channel or the connection, and how the client is told.

use crate::codec::method::connection;
use crate::codec::{MethodId, ReplyCode, Scope};
use gantry_core::Error;
use std::fmt;

/// A method that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} - {text}", .code.name())]
pub struct Fault {
    code: ReplyCode,
    text: String,
}

impl Fault {
    /// With what RabbitMQ says of it.
    #[must_use]
    pub fn new(code: ReplyCode, text: impl fmt::Display) -> Self {
        Self {
            code,
            text: text.to_string(),
        }
    }

    /// Nothing, where it only says that something is missing that was to go.
    ///
    /// # Errors
    /// Any other fault.
    pub(crate) fn unless_missing<T>(outcome: Result<T, Self>) -> Result<Option<T>, Self> {
        match outcome {
            Ok(done) => Ok(Some(done)),
            Err(fault) if fault.code == ReplyCode::NotFound => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Its number and name.
    #[must_use]
    pub const fn code(&self) -> ReplyCode {
        self.code
    }

    /// What is wrong.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it ends.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.code.scope()
    }

    /// How the client is told; a channel's close has the same parts.
    #[must_use]
    pub fn close(&self, method: MethodId) -> connection::Close {
        connection::Close::new(self.code, self.code.text(&self.text), method)
    }
}

/// What core cannot do is said as RabbitMQ says that it lacks something; what went wrong inside is
/// said without the words, which are logged.
impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Busy(_) | Error::DiskFull => ReplyCode::ResourceError,
            Error::ShuttingDown => ReplyCode::ConnectionForced,
            Error::MessageTooLarge { .. } | Error::Invalid(_) => ReplyCode::PreconditionFailed,
            Error::Forbidden(_) | Error::Unauthenticated => ReplyCode::AccessRefused,
            Error::TopicNotFound(_) | Error::QueueNotFound { .. } | Error::GroupNotFound(_) => {
                ReplyCode::NotFound
            }
            Error::GroupNotEmpty(_)
            | Error::AlreadyExists(_)
            | Error::OffsetOutOfRange { .. }
            | Error::CorruptBatch(_)
            | Error::OutOfOrderSequence { .. }
            | Error::ProducerFenced { .. }
            | Error::FlushTimeout
            | Error::Damaged(_)
            | Error::Storage(_)
            | Error::Internal(_) => ReplyCode::InternalError,
        };
        if code == ReplyCode::InternalError {
            tracing::error!(%error, "an AMQP method failed");
        }
        Self::new(code, error)
    }
}
