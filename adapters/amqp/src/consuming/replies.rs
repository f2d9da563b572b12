//! RabbitMQ's direct reply-to: answers go straight to the channel that asked, through no queue.

use super::{Letter, LetterContent, Outbox, Shared, room_beyond_one};
use crate::codec::ShortString;
use crate::message::Delivered;
use crate::topology::made_up_name;
use gantry_core::vhosts::Credit;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a client consumes from to get answers, and names in `reply-to`.
pub const REPLY_TO: &str = "amq.rabbitmq.reply-to";
/// What every address begins with to which answers are published.
const ADDRESS_PREFIX: &str = "amq.rabbitmq.reply-to.";

/// All addresses at which somebody waits for answers.
#[derive(Debug, Default)]
pub struct Replies(Mutex<HashMap<ShortString, ReplyBox>>);

/// Where answers go.
#[derive(Clone, Debug)]
struct ReplyBox {
    outbox: Arc<Outbox>,
    room: Arc<Credit>,
    channel: u16,
    consumer_tag: ShortString,
}

/// Whether a queue's name, or a routing key, is an address.
#[must_use]
pub fn is_reply_address(name: &str) -> bool {
    name.starts_with(ADDRESS_PREFIX)
}

impl Replies {
    /// A new address of a channel's consumer.
    pub(super) fn open(&self, shared: &Shared, channel: u16, tag: &ShortString) -> ShortString {
        let address = ShortString::cut(&made_up_name(&shared.client, ADDRESS_PREFIX));
        let reply_box = ReplyBox {
            outbox: Arc::clone(&shared.outbox),
            room: Arc::clone(&shared.room),
            channel,
            consumer_tag: tag.clone(),
        };
        self.0.lock().insert(address.clone(), reply_box);
        address
    }

    pub(super) fn close(&self, address: &ShortString) {
        self.0.lock().remove(address);
    }

    /// Whether somebody waits there.
    #[must_use]
    pub fn is_open(&self, address: &ShortString) -> bool {
        self.0.lock().contains_key(address)
    }

    /// Sends an answer; whether there is somebody, and room for it.
    pub fn send(&self, address: &ShortString, answer: Delivered) -> bool {
        let Some(to) = self.0.lock().get(address).cloned() else {
            return false;
        };
        if !to.room.take() {
            return false;
        }
        to.room.charge(room_beyond_one(answer.body.len()));
        to.outbox.put(Letter {
            channel: to.channel,
            consumer_tag: to.consumer_tag,
            content: LetterContent::Reply(Box::new(answer)),
        });
        true
    }
}
