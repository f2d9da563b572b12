//! Publishers wait while disk or memory are full: they are told, and nothing more of them is read.

use super::Item;
use crate::codec::method::connection;
use crate::codec::{Frame, Payload, ServerMethod, ShortString};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Duration;

/// Between two looks at whether there is room again.
const LOOK: Duration = Duration::from_millis(100);

/// What waits for the end of an alarm.
#[derive(Debug)]
pub(super) struct Alarm {
    pub(super) next_look: Duration,
    /// What came with the first message, and after it.
    pub(super) stalled: VecDeque<Item>,
}

impl Alarm {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            next_look: now + LOOK,
            stalled: VecDeque::new(),
        }
    }

    pub(super) fn look_later(&mut self, now: Duration) {
        self.next_look = now + LOOK;
    }
}

pub(super) fn write_blocked(reason: &'static str, out: &mut BytesMut) {
    let reason = ShortString::from_static(reason);
    ServerMethod::from(connection::Blocked { reason }).encode(0, out);
}

pub(super) fn write_unblocked(out: &mut BytesMut) {
    ServerMethod::from(connection::Unblocked {}).encode(0, out);
}

/// Whether it begins a message.
pub(super) fn is_publish(item: &Item) -> bool {
    const CLASS_AND_METHOD: [u8; 4] = [0, 60, 0, 40];
    match item {
        Item::Frame(Frame {
            payload: Payload::Method(method),
            ..
        }) => method.starts_with(&CLASS_AND_METHOD),
        _ => false,
    }
}
