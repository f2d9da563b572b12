//! Publisher confirms: what became of each message, told for as many at once as there are.

use crate::codec::ServerMethod;
use crate::codec::method::basic;
use bytes::BytesMut;

/// What became of consecutive messages of one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    channel: u16,
    first: u64,
    last: u64,
    is_kept: bool,
}

/// Outcomes of messages, in the order they were published.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(Vec<Run>);

impl Outcomes {
    pub(crate) fn put(&mut self, channel: u16, tag: u64, is_kept: bool) {
        let mut of_channel = self.0.iter_mut().rev();
        match of_channel.find(|run| run.channel == channel) {
            Some(run) if run.is_kept == is_kept && run.last + 1 == tag => run.last = tag,
            _ => self.0.push(Run {
                channel,
                first: tag,
                last: tag,
                is_kept,
            }),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None of them is kept after all.
    pub(crate) fn fail(&mut self) {
        self.0.iter_mut().for_each(|run| run.is_kept = false);
    }

    /// Nobody waits any more for those of a channel.
    pub(crate) fn forget(&mut self, channel: u16) {
        self.0.retain(|run| run.channel != channel);
    }

    /// Up to which message each channel has heard once they are told.
    pub(crate) fn answered(&self) -> impl Iterator<Item = (u16, u64)> {
        self.0.iter().map(|run| (run.channel, run.last))
    }

    /// Tells them. What was published before on their channels must have been told.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        for run in &self.0 {
            let (delivery_tag, multiple) = (run.last, run.last > run.first);
            let method: ServerMethod = if run.is_kept {
                let ack = basic::Ack {
                    delivery_tag,
                    multiple,
                };
                ack.into()
            } else {
                // With RabbitMQ's bits, which say nothing: all before it are answered.
                let nack = basic::Nack {
                    delivery_tag,
                    multiple: true,
                    requeue: true,
                };
                nack.into()
            };
            method.encode(run.channel, out);
        }
    }
}
