//! CreateTopics, DeleteTopics, DeleteRecords, CreatePartitions.

mod create;
mod delete;
mod partitions;
mod records;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use partitions::create_partitions;
pub(crate) use records::delete_records;

use crate::error;
use gantry_core::Error;
use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use std::collections::HashSet;

/// Why one topic of a request is refused.
#[derive(Debug)]
struct Refusal {
    error: ResponseError,
    message: String,
}

fn refuse<T>(error: ResponseError, message: impl Into<String>) -> Result<T, Refusal> {
    let message = message.into();
    Err(Refusal { error, message })
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self {
            error: error::response_error(&error),
            message: error.to_string(),
        }
    }
}

/// The names that stand more than once in a request; each is answered once, with an error.
fn repeated<'a>(names: impl Iterator<Item = &'a StrBytes>) -> HashSet<StrBytes> {
    let mut seen = HashSet::new();
    let mut repeated = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            repeated.insert(name.clone());
        }
    }
    repeated
}
