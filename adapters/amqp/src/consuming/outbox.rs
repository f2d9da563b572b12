//! What other threads have for a connection to write.

use super::room_beyond_one;
use crate::codec::ShortString;
use crate::message::Delivered;
use futures_util::task::AtomicWaker;
use gantry_core::vhosts::{Credit, Dealt, Mailbox};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

/// Something for a consumer of the connection.
#[derive(Debug)]
pub struct Letter {
    /// Of the consumer.
    pub channel: u16,
    /// The consumer's, on that channel.
    pub consumer_tag: ShortString,
    /// What it is.
    pub content: LetterContent,
}

/// What a consumer is told.
#[derive(Debug)]
pub enum LetterContent {
    /// Messages, in order.
    Messages(Vec<Dealt>),
    /// An answer that came through no queue.
    Reply(Box<Delivered>),
    /// That its stream has more for it, or it may have more.
    Readable,
    /// That there will be no more: its queue is gone.
    Cancelled,
}

/// A connection's letters, in the order they came.
#[derive(Debug, Default)]
pub struct Outbox {
    letters: Mutex<VecDeque<Letter>>,
    waker: AtomicWaker,
}

impl Outbox {
    /// All there are; the connection is woken by the next.
    #[must_use]
    pub fn take(&self, waker: &Waker) -> VecDeque<Letter> {
        // In this order: what comes in between wakes.
        self.waker.register(waker);
        mem::take(&mut *self.letters.lock())
    }

    /// Those for a channel, of `taken` before and of all there are; the others are `taken` now.
    #[must_use]
    pub fn take_for(&self, channel: u16, taken: &mut VecDeque<Letter>) -> VecDeque<Letter> {
        taken.append(&mut self.letters.lock());
        let is_own = |letter: &Letter| letter.channel == channel;
        let (own, others) = mem::take(taken).into_iter().partition(is_own);
        *taken = others;
        own
    }

    pub(super) fn put(&self, letter: Letter) {
        self.letters.lock().push_back(letter);
        self.waker.wake();
    }
}

/// A consumer's way into its connection's outbox.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) outbox: Arc<Outbox>,
    /// That the messages are dealt for, each as one.
    pub(super) room: Arc<Credit>,
    pub(super) channel: u16,
    pub(super) consumer_tag: ShortString,
}

impl Slot {
    pub(super) fn put(&self, content: LetterContent) {
        self.outbox.put(Letter {
            channel: self.channel,
            consumer_tag: self.consumer_tag.clone(),
            content,
        });
    }
}

impl Mailbox for Slot {
    fn deliver(&self, messages: Vec<Dealt>) {
        let surplus = messages
            .iter()
            .map(|dealt| room_beyond_one(dealt.message.bytes.len()));
        self.room.charge(surplus.fold(0, u32::saturating_add));
        self.put(LetterContent::Messages(messages));
    }

    fn cancel(&self) {
        self.put(LetterContent::Cancelled);
    }
}
