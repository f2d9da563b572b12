//! The nouns every protocol shares. Values only: nothing here opens a file or waits.

mod key_hash;
mod message;
mod name;
mod offset;
pub mod property;
mod rules;
mod time;
mod topic;

pub use key_hash::key_hash;
pub use message::{Header, Message, Properties, PropertyError, Record, SysFlag};
pub use name::{GroupName, NameError, TopicName};
pub use offset::{OffsetRange, PhysicalOffset, QueueId, QueueOffset};
pub(crate) use rules::{EXCHANGE, STREAM, WORK_QUEUE};
pub use rules::{KeptFor, StreamTopic, TopicRules};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use topic::{Permission, TopicSpec};
