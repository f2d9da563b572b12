//! Settings: Kafka's names, types and defaults for what a topic and a broker can be told.

mod alter;
mod describe;
mod topic;

pub(crate) use alter::{alter, replace};
pub(crate) use describe::{describe, topic_value};
pub(crate) use topic::{TOPIC_SETTINGS, check};
