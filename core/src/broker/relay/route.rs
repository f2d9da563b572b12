//! Where a message goes that is not to be in its topic yet.

use crate::broker::Topic;
use crate::broker::shared::Shared;
use crate::model::{
    GroupName, Message, Properties, PropertyError, QueueId, SysFlag, Timestamp, TopicName,
    TopicSpec, property,
};
use crate::store::Facts;
use crate::timers::due_time;
use crate::{Client, Error};
use std::sync::Arc;

/// Room that what the broker adds on the way needs in the property area.
const ADDED_BYTES_MAX: usize = 128;

impl Client {
    /// Turns a message that asks to be delivered later into the one that waits for it, and says
    /// until when and where it waits; `None` when it is due already.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a delay that is none, or a failed store.
    pub(in crate::broker) fn delayed(
        &self,
        topic: &Topic,
        queue: QueueId,
        message: &mut Message,
    ) -> Result<Option<(Timestamp, Arc<Topic>)>, Error> {
        let now = self.shared.clock.now();
        let config = &self.shared.config.timers;
        let Some(due) = due_time(&message.properties, now, config)? else {
            return Ok(None);
        };
        let (due_text, now) = (due.millis().to_string(), now.millis().to_string());
        message.properties = bound_for(
            &message.properties,
            topic,
            queue,
            &[
                (property::TIMER_OUT_MS, &due_text),
                (property::TIMER_ENQUEUE_MS, &now),
            ],
        )?;
        let waiting = self.shared.waiting_topic(property::TIMER_TOPIC)?;
        Ok(Some((due, waiting)))
    }
}

impl Client {
    /// Turns a message into the one that waits for the end of its transaction, and says where it
    /// waits.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it names no producer group, or a delay that is none, or a failed
    /// store.
    pub(in crate::broker) fn half(
        &self,
        topic: &Topic,
        queue: QueueId,
        facts: &Facts,
        message: &mut Message,
    ) -> Result<Arc<Topic>, Error> {
        let group = message.properties.value(property::PRODUCER_GROUP);
        if group.is_none_or(|group| GroupName::new(group).is_err()) {
            let text = "a half message names the group of its producer".to_owned();
            return Err(Error::Invalid(text));
        }
        if facts.is_delayed {
            // It begins when the transaction is committed; what is no delay is refused now.
            let now = self.shared.clock.now();
            due_time(&message.properties, now, &self.shared.config.timers)?;
        }
        message.sys_flag = message.sys_flag.without(SysFlag::TRANSACTION);
        message.properties = bound_for(&message.properties, topic, queue, &[])?;
        self.shared.waiting_topic(property::HALF_TOPIC)
    }
}

/// The topic and queue a message that waited is bound for. Where the topic has fewer queues than
/// it had, another one of them.
pub(super) fn bound_of(client: &Client, message: &Message) -> Option<(Arc<Topic>, QueueId)> {
    let named = message.properties.value(property::REAL_TOPIC);
    let topic = named.and_then(|name| client.topic(name))?;
    let id = message.properties.value(property::REAL_QUEUE);
    let id: u32 = id.and_then(|id| id.parse().ok()).unwrap_or(0);
    let id = id.checked_rem(topic.queue_count()).unwrap_or(0);
    Some((topic, QueueId::new(id)))
}

impl Shared {
    /// The topic of that name where messages wait, made when it is missing.
    ///
    /// # Errors
    /// A failed store.
    pub(in crate::broker) fn waiting_topic(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<Arc<Topic>, Error> {
        if let Some(topic) = self.topics.by_name(name) {
            return Ok(topic);
        }
        let topic = TopicName::new(name).map_err(|error| Error::Internal(error.to_string()))?;
        let client = Client {
            shared: Arc::clone(self),
        };
        match client.create_topic(&topic, TopicSpec::with_queues(1)) {
            Err(Error::AlreadyExists(_)) => client.topic(name).ok_or(Error::TopicNotFound(topic)),
            created => {
                // It looks at nothing as long as there is no such topic.
                self.relay.wake();
                created
            }
        }
    }
}

/// `properties` with where the message is to go behind them, and what else is `added`.
fn bound_for(
    properties: &Properties,
    topic: &Topic,
    queue: QueueId,
    added: &[(&str, &str)],
) -> Result<Properties, Error> {
    let queue = queue.to_string();
    let bound = [
        (property::REAL_TOPIC, topic.name().as_str()),
        (property::REAL_QUEUE, &queue),
    ];
    let all = [&bound, added].concat();
    let is_replaced = |name: &str| all.iter().any(|(own, _)| *own == name);
    let made = properties.rewritten(is_replaced, &all);
    let made = made.map_err(|error| Error::Invalid(error.to_string()))?;
    let length = made.as_bytes().len() + ADDED_BYTES_MAX;
    if length > Properties::BYTES_MAX {
        return Err(Error::Invalid(PropertyError::TooLong(length).to_string()));
    }
    Ok(made)
}
