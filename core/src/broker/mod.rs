//! The calls adapters see. Nothing here shows a file, a mapping, a lock or a wire code, because
//! another engine will answer the same calls remotely one day.

mod fetch;
mod offsets;
mod produce;
mod topics;

pub use fetch::{FetchLimits, FetchQueue, Fetched, MessageView, StoredRecord, TagFilter};
pub use offsets::{CommittedOffset, OffsetCommit};
pub use produce::{Durability, Payload, ProduceItem, Receipt};
pub use topics::Topic;
