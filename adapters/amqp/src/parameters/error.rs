//! Why a parameter is not set.

use gantry_core::vhosts::TopologyError;
use thiserror::Error;

/// What is wrong.
#[derive(Debug, Error)]
pub enum ParameterError {
    /// What it says makes no sense: RabbitMQ's texts.
    #[error("Validation failed\n\n{}\n", .0.join("\n"))]
    Invalid(Vec<String>),
    /// It is longer than one may be.
    #[error("a parameter of more than {0} bytes")]
    TooLarge(usize),
    /// There are as many as there may be.
    #[error("the limit of {0} parameters is reached")]
    TooMany(usize),
    /// Its virtual host is gone.
    #[error("vhost_not_found")]
    NoVhost,
    /// What the log says.
    #[error(transparent)]
    Store(gantry_core::Error),
}

impl From<TopologyError> for ParameterError {
    fn from(error: TopologyError) -> Self {
        match error {
            TopologyError::NoVirtualHost(_) => Self::NoVhost,
            TopologyError::Pattern(why) => {
                let text = "pattern should be regular expression but is invalid: ";
                Self::Invalid(vec![format!("{text}{why}")])
            }
            TopologyError::Store(error) => Self::Store(error),
            other => Self::Store(gantry_core::Error::Internal(other.to_string())),
        }
    }
}
