//! Messages leased to a consumer, with or without a wait.

use crate::error::Refusal;
use crate::message::Handed;
use crate::names;
use crate::receipt;
use crate::server::OpenMessaging;
use gantry_core::filter::{Filter, TagFilter};
use gantry_core::model::{GroupName, Properties, QueueId, TopicName, property};
use gantry_core::record::RecordView;
use gantry_core::{
    DeadLetters, GiveUp, Hold, LeaseOrder, LeaseQueue, LeaseReceipt, LeaseRequest, LeaseStart,
    Leased, Topic,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a consumer wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) consumer: GroupName,
    pub(crate) source: Arc<Topic>,
    /// At least 1.
    pub(crate) max: u32,
    /// But always one message.
    pub(crate) bytes_max: usize,
    pub(crate) wait: Duration,
    pub(crate) hold: Hold,
    pub(crate) filter: Option<Arc<Filter>>,
}

/// A message handed out.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: Handed,
    pub(crate) receipt: LeaseReceipt,
    /// The first time is 1.
    pub(crate) attempt: u32,
}

impl Received {
    pub(crate) fn handle(&self) -> String {
        receipt::handle(&self.receipt)
    }
}

impl OpenMessaging {
    /// Leases what is wanted.
    ///
    /// # Errors
    /// What core says.
    pub(crate) async fn receive(&self, wanted: &Wanted) -> Result<Vec<Received>, Refusal> {
        let request = self.lease_request(wanted);
        let deadline = Instant::now() + wanted.wait;
        loop {
            let mut leased = self.client.lease_now(&request)?;
            if leased.deliveries.is_empty() && Instant::now() < deadline {
                // Without room to wait it is told at once that nothing is there.
                let Ok(_waiting) = self.waiting.try_acquire() else {
                    return Ok(Vec::new());
                };
                let left = deadline.saturating_duration_since(Instant::now());
                leased = self.client.lease(&request, left).await?;
            }
            if leased.deliveries.is_empty() {
                return Ok(Vec::new());
            }
            let received = self.received(&request, &leased)?;
            if !received.is_empty() {
                return Ok(received);
            }
        }
    }

    /// Leases what is there now; what has expired is settled unseen.
    ///
    /// # Errors
    /// What core says.
    pub(crate) fn lease(&self, request: &LeaseRequest) -> Result<Vec<Received>, Refusal> {
        let leased = self.client.lease_now(request)?;
        self.received(request, &leased)
    }

    /// What was handed out, without what has expired: that is settled unseen.
    ///
    /// # Errors
    /// What core says.
    pub(crate) fn received(
        &self,
        request: &LeaseRequest,
        leased: &Leased,
    ) -> Result<Vec<Received>, Refusal> {
        let mut received = Vec::with_capacity(leased.deliveries.len());
        let mut expired = Vec::new();
        let now = self.clock.now();
        for delivery in &leased.deliveries {
            let Some(receipt) = leased.receipt(request, delivery) else {
                continue;
            };
            let message = Handed::of(&delivery.message.bytes)?;
            if message.is_expired(now) {
                expired.push(receipt);
                continue;
            }
            received.push(Received {
                message,
                receipt,
                attempt: delivery.attempt,
            });
        }
        if !expired.is_empty() {
            self.client.ack(&request.group, &expired)?;
        }
        Ok(received)
    }

    /// In core's terms. Each call begins with another queue, so that none waits for the others.
    pub(crate) fn lease_request(&self, wanted: &Wanted) -> LeaseRequest {
        let count = wanted.source.spec().read_queues.max(1);
        let first = self.turn(count);
        let queues = (first..count).chain(0..first).map(|queue| LeaseQueue {
            topic: Arc::clone(&wanted.source),
            queue: QueueId::new(queue),
            start: LeaseStart::Earliest,
        });
        LeaseRequest {
            group: wanted.consumer.clone(),
            queues: queues.collect(),
            messages_max: wanted.max,
            bytes_max: wanted.bytes_max,
            hold: wanted.hold,
            filter: wanted.filter.clone(),
            order: LeaseOrder::Loose,
            give_up: self
                .dead_letters(&wanted.consumer)
                .map(|dead_letters| GiveUp {
                    attempts_max: self.config.attempts_max.max(1),
                    dead_letters,
                }),
        }
    }

    /// Where a group's messages go that it gives up.
    pub(crate) fn dead_letters(&self, consumer: &GroupName) -> Option<DeadLetters> {
        Some(DeadLetters {
            topic: names::dead_letters(consumer)?,
            properties: dead_letter_properties,
        })
    }

    /// How long a message is its consumer's.
    ///
    /// # Errors
    /// It is longer than may be.
    pub(crate) fn invisible_ms(&self, asked: Option<u64>) -> Result<u64, Refusal> {
        let limit = self.config.invisible_ms_max;
        match asked {
            Some(asked) if asked > limit => {
                let text = format!("invisibleMillis is at most {limit}, not {asked}");
                Err(Refusal::parameter(text))
            }
            asked => Ok(asked.unwrap_or(self.config.invisible_ms)),
        }
    }

    /// How long a request waits: as it asks, and no longer than may be.
    pub(crate) fn wait(&self, asked: Option<u64>) -> Duration {
        Duration::from_millis(asked.unwrap_or(0).min(self.config.wait_ms_max))
    }

    /// What a consumer's messages must match; `None` for all.
    ///
    /// # Errors
    /// The kind of filter is unknown, or the expression is none.
    pub(crate) fn filter(
        &self,
        kind: Option<&str>,
        text: Option<&str>,
    ) -> Result<Option<Arc<Filter>>, Refusal> {
        let text = text.map(str::trim).filter(|text| !text.is_empty());
        let Some(text) = text else {
            return Ok(None);
        };
        let filter = match kind.unwrap_or("TAG") {
            kind if kind.eq_ignore_ascii_case("TAG") => {
                if text == "*" {
                    return Ok(None);
                }
                let tags = text.split("||").map(str::trim);
                TagFilter::new(tags.filter(|tag| !tag.is_empty())).into()
            }
            kind if kind.eq_ignore_ascii_case("SQL92") => self.client.expression(text)?.into(),
            kind => {
                let text = format!("a filter is of the type TAG or SQL92, not {kind}");
                return Err(Refusal::parameter(text));
            }
        };
        Ok(Some(Arc::new(filter)))
    }
}

/// A dead letter's properties: the message's own, and where it was.
fn dead_letter_properties(record: &RecordView, topic: &TopicName) -> Properties {
    let properties = record.properties();
    let own = || {
        let pairs = properties.iter();
        pairs.filter(|(name, _)| !property::is_reserved(name) && !property::is_delay(name))
    };
    let keys = properties.value(property::KEYS);
    let keys = keys.map(|keys| (property::KEYS, keys));
    let origin = [("RETRY_TOPIC", topic.as_str())];
    Properties::from_pairs(keys.into_iter().chain(own()).chain(origin))
        // There is no room for the mark.
        .or_else(|_| Properties::from_pairs(own()))
        .unwrap_or_default()
}
