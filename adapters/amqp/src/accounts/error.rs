//! Why an account is not changed.

use thiserror::Error;

/// What is wrong.
#[derive(Debug, Error)]
pub enum AccountError {
    /// There is no such user.
    #[error("no user '{0}'")]
    NoUser(String),
    /// There is no such virtual host.
    #[error("vhost {0} not found")]
    NoVhost(String),
    /// It is no regular expression, or one of a kind that is not known here.
    #[error("'{text}' is no regular expression: {reason}")]
    Pattern {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What limits a user makes no sense: RabbitMQ's text.
    #[error("{0}")]
    Limits(String),
    /// There are as many users and permissions as there may be.
    #[error("the limit of {0} accounts is reached")]
    TooMany(usize),
    /// It cannot be written down.
    #[error("an account cannot be written down: {0}")]
    Form(String),
    /// What the log says.
    #[error(transparent)]
    Store(#[from] gantry_core::Error),
}
