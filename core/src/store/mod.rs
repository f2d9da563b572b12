//! The commit log: the only thing written on the way to an acknowledgement, and the only source
//! of truth. It knows records, positions and queues' indexes; not what a record means.

mod append;
mod config;
mod damage;
mod facts;
mod flusher;
mod forward;
mod health;
mod mark;
mod recovery;
mod scan;
mod segment;
mod segments;
mod staging;
mod tail;
mod touched;
mod watermark;

pub(crate) use append::{Chore, Pending, Placed, Store};
pub use config::{FlushMode, StoreConfig};
pub use damage::DamagedRange;
pub(crate) use damage::Damages;
pub(crate) use facts::{Facts, group_tag};
pub(crate) use flusher::FlushTicket;
pub(crate) use health::Health;
pub use health::StoreHealth;
pub(crate) use mark::Mark;
pub(crate) use recovery::Opening;
pub(crate) use scan::{Scan, Scanned};
pub(crate) use segment::Segment;
pub(crate) use segments::Segments;
use watermark::Watermark;
