//! A queue's entries one by one: 321.

use super::stats::topic_of;
use crate::error::Refusal;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use gantry_core::groups::subscription::{Selector, Subscription};
use gantry_core::model::{GroupName, QueueId, QueueOffset, property};
use gantry_core::record::{RecordView, tag_hash};
use gantry_core::{FetchQueue, MessageView};
use gantry_remoting_protocol::body::{self, ConsumeQueueEntries, ConsumeQueueEntry, Style};
use gantry_remoting_protocol::header::TopicRequest;
use gantry_remoting_protocol::{Answer, Command, ResponseCode};

/// Most entries of one answer, whatever the tool asks for.
const ENTRIES_MAX: u32 = 1024;
/// Most bytes of messages looked at for one answer.
const BYTES_MAX: usize = 16 << 20;

/// 321: where a queue's messages lie, and whether a group wants them.
pub(crate) fn entries(role: &BrokerRole, command: &Command) -> Result<Reply, Refusal> {
    let request: TopicRequest<'_> = command.header()?;
    let fields = &command.fields;
    let id: i32 = fields.value("queueId")?;
    let index: i64 = fields.value("index")?;
    let count: i32 = fields.value("count")?;
    let group: Option<&str> = fields.value("consumerGroup")?;
    let not_found = || {
        let remark = format!("{id}@{} is not exist!", request.topic);
        Refusal::new(ResponseCode::SystemError, remark)
    };
    let topic = topic_of(role, request.topic)?;
    let queue = QueueId::from_wire(id).ok_or_else(not_found)?;
    let range = role.client.offset_range(&topic, queue);
    let range = range.map_err(|_| not_found())?;
    let wanted = u32::try_from(count).unwrap_or(0).min(ENTRIES_MAX);
    let first = QueueOffset::from_wire(index).unwrap_or(range.start);

    let subscription = group.and_then(|group| role.clients.subscription(group, request.topic));
    let mut queue_data = Vec::new();
    if (range.start..range.end).contains(&first) && wanted > 0 {
        let asked = FetchQueue {
            topic,
            queue,
            offset: first,
            bytes_max: BYTES_MAX,
            messages_max: wanted,
            filter: None,
        };
        for fetched in role.client.fetch_now(&[asked], BYTES_MAX) {
            let (views, _) = role.client.messages(&fetched?, first, wanted, None)?;
            let views = views.iter();
            queue_data.extend(views.map(|view| entry(view, subscription.as_deref())));
        }
    }
    let group = group.and_then(|group| GroupName::new(group).ok());
    let body = ConsumeQueueEntries {
        filter_data: None,
        max_queue_index: range.end.to_wire(),
        min_queue_index: range.start.to_wire(),
        queue_data,
        subscription_data: group
            .and_then(|group| role.consumer_facts.subscription(&group, request.topic)),
    };
    let body = vec![body::encode(&body, Style::Standard)];
    Ok(Frame::with_body(command.reply_to(), &Answer::OK, body).into())
}

fn entry(view: &MessageView, subscription: Option<&Subscription>) -> ConsumeQueueEntry {
    let Ok(record) = RecordView::parse(&view.bytes) else {
        return ConsumeQueueEntry {
            msg: Some("the message does not parse".to_owned()),
            ..ConsumeQueueEntry::default()
        };
    };
    let properties = record.properties();
    let mut tags = properties
        .iter()
        .filter(|(name, _)| *name == property::TAGS);
    let tag = tags.next().map(|(_, tag)| tag);
    let is_wanted = subscription.is_none_or(|subscription| match &subscription.selector {
        Selector::All => true,
        Selector::Matching(filter) => filter.matches(&properties),
        Selector::Unusable(_) => false,
    });
    ConsumeQueueEntry {
        bit_map: None,
        eval: is_wanted,
        extend_data_json: None,
        msg: None,
        physic_offset: record.position().get().cast_signed(),
        physic_size: i32::try_from(view.bytes.len()).unwrap_or(i32::MAX),
        tags_code: tag.map_or(0, |tag| i64::from(tag_hash(tag))),
    }
}
