//! Why something was not declared, deleted, bound or routed.

use crate::Error;
use crate::routing::{BindError, IllegalBinding, Inequivalent};
use std::sync::Arc;
use thiserror::Error;

/// Names are those that were asked for; texts are what they lack, without the virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TopologyError {
    /// There is no such virtual host.
    #[error("vhost {0} not found")]
    NoVirtualHost(Arc<str>),
    /// There is no such exchange.
    #[error("no exchange '{0}'")]
    NoExchange(Arc<str>),
    /// There is no such queue.
    #[error("no queue '{0}'")]
    NoQueue(Arc<str>),
    /// One of that name is there and differs.
    #[error(transparent)]
    Inequivalent(#[from] Inequivalent),
    /// The queue is another connection's.
    #[error("cannot obtain exclusive access to locked queue '{0}'")]
    Locked(Arc<str>),
    /// Somebody consumes from the queue who is to be the only one, or would be.
    #[error("queue '{0}' in exclusive use")]
    ExclusiveUse(Arc<str>),
    /// It makes no sense to its exchange.
    #[error(transparent)]
    IllegalBinding(#[from] IllegalBinding),
    /// It was to be deleted only if nobody used it.
    #[error("'{0}' in use")]
    InUse(Arc<str>),
    /// It was to be deleted only if nothing was in it.
    #[error("queue '{0}' not empty")]
    NotEmpty(Arc<str>),
    /// There are as many queues in the virtual host as there may be.
    #[error("queue limit ({0}) is reached")]
    QueueLimit(u64),
    /// A policy's pattern is no regular expression, and why.
    #[error("{0}")]
    Pattern(String),
    /// What the log says.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<BindError> for TopologyError {
    fn from(error: BindError) -> Self {
        match error {
            BindError::NoExchange(name) => Self::NoExchange(name),
            BindError::Illegal(illegal) => Self::IllegalBinding(illegal),
        }
    }
}
