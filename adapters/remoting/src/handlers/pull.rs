//! Pulls: 11 and 361, held until a message comes when the client allows it.

use super::offsets;
use super::subscription::filter_of;
use crate::error::Refusal;
use crate::message::addressed;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::role::BrokerRole;
use crate::session::Session;
use crate::statistics::GroupTraffic;
use bytes::Bytes;
use gantry_core::groups::registry::MessageModel;
use gantry_core::model::{OffsetRange, QueueId, QueueOffset, Timestamp};
use gantry_core::traffic::Amount;
use gantry_core::{Error, FetchQueue, Selected, Topic};
use gantry_remoting_protocol::codec::ReplyTo;
use gantry_remoting_protocol::header::{PullRequest, PullResponse};
use gantry_remoting_protocol::{Answer, Command, FRAME_BYTES_MAX, ResponseCode};
use std::sync::Arc;
use std::time::Duration;

/// The broker the client is to pull from next time: this one, the master.
const MASTER: i64 = 0;
/// Room in a frame for everything but the body.
const HEAD_BYTES_MAX: usize = 4096;

/// A pull that has passed all checks.
#[derive(Debug)]
struct Pull {
    role: Arc<BrokerRole>,
    /// The group, and its counters in the topic, if it has some.
    group: String,
    traffic: Option<Arc<GroupTraffic>>,
    reply_to: ReplyTo,
    queue: FetchQueue,
}

/// What a pull found: messages, or why there are none.
#[derive(Debug)]
struct Found {
    code: ResponseCode,
    next_offset: QueueOffset,
    range: OffsetRange,
    messages: Vec<Bytes>,
}

/// Answers a pull at once, or holds it.
pub(crate) fn pull(session: &Session, command: &Command) -> Result<Reply, Refusal> {
    let role = session.role();
    let request: PullRequest<'_> = command.header()?;
    let topic = readable_topic(session, &request)?;
    let queue = queue_of(&topic, &request)?;
    let filter = filter_of(role, &request)?;
    let flags = request.flags();
    if let Some(target) = role.resets.take(request.group, request.topic, queue)
        && target.to_wire() != request.queue_offset
    {
        let range = role.client.offset_range(&topic, queue)?;
        let found = Found::none(ResponseCode::PullOffsetMoved, target, range);
        return Ok(found.frame(command.reply_to()).into());
    }
    if flags.has_commit() && flags.may_suspend() {
        offsets::commit(role, request.group, &topic, queue, request.commit_offset)?;
    }
    let Some(offset) = QueueOffset::from_wire(request.queue_offset) else {
        let range = role.client.offset_range(&topic, queue)?;
        let found = Found::none(ResponseCode::PullOffsetMoved, range.start, range);
        return Ok(found.frame(command.reply_to()).into());
    };
    let wanted = u32::try_from(request.max_messages).unwrap_or(0).max(1);
    let messages_max = wanted.min(role.config.pull_messages_max);
    let pull = Pull {
        role: Arc::clone(role),
        group: request.group.to_owned(),
        traffic: role.statistics.of(request.topic, request.group),
        reply_to: command.reply_to(),
        queue: FetchQueue {
            topic,
            queue,
            offset,
            bytes_max: role.config.pull_bytes_max,
            messages_max,
            filter,
        },
    };
    let begun_at = role.clock.now();
    let found = pull.look()?;
    let now = role.clock.now();
    role.statistics.pulls.count(now.millis_since(begun_at));
    let wait = hold_time(session, &request);
    if found.code != ResponseCode::PullNotFound || wait.is_zero() {
        pull.count(&found, now);
        return Ok(found.frame(pull.reply_to).into());
    }
    let Ok(held) = Arc::clone(session.held_pulls()).try_acquire_owned() else {
        return Err(Error::Busy("held pulls of one connection").into());
    };
    Ok(Reply::Held(Box::pin(async move {
        let answer = pull.wait(wait).await;
        drop(held);
        answer
    })))
}

fn readable_topic(session: &Session, request: &PullRequest<'_>) -> Result<Arc<Topic>, Refusal> {
    if !session.role().permission().is_readable() {
        let ip = session.role().config.advertised_address.ip();
        let remark = format!("the broker[{ip}] pulling message is forbidden");
        return Err(Refusal::new(ResponseCode::NoPermission, remark));
    }
    if !names::is_legal_group(request.group) {
        return Err(Refusal::group_not_found(request.group));
    }
    check_group(session.role(), request)?;
    let topic = session.role().client.topic(request.topic);
    let Some(topic) = topic.filter(|_| !names::is_hidden_topic(request.topic)) else {
        return Err(Refusal::topic_not_found(request.topic));
    };
    if topic.spec().permission.is_readable() {
        return Ok(topic);
    }
    let remark = format!("the topic[{}] pulling message is forbidden", request.topic);
    Err(Refusal::new(ResponseCode::NoPermission, remark))
}

/// Whether the group's operator lets it pull this topic.
fn check_group(role: &BrokerRole, request: &PullRequest<'_>) -> Result<(), Refusal> {
    let group = request.group;
    let refuse = |remark| Err(Refusal::new(ResponseCode::NoPermission, remark));
    if let Some(settings) = role.groups.find(group) {
        if !settings.consume_enable {
            return refuse(format!("subscription group no permission, {group}"));
        }
        let is_broadcast = || role.clients.model(group) == Some(MessageModel::Broadcasting);
        if !settings.consume_broadcast_enable && is_broadcast() {
            return refuse(format!(
                "the consumer group[{group}] can not consume by broadcast way"
            ));
        }
    }
    if !role.groups.may_read(group, request.topic) {
        let topic = request.topic;
        return refuse(format!(
            "the consumer group[{group}] is forbidden for topic[{topic}]"
        ));
    }
    Ok(())
}

fn queue_of(topic: &Topic, request: &PullRequest<'_>) -> Result<QueueId, Refusal> {
    let readable = topic.spec().read_queues;
    let queue = QueueId::from_wire(request.queue_id).filter(|queue| queue.get() < readable);
    queue.ok_or_else(|| {
        let remark = format!(
            "queueId[{}] is illegal, topic:[{}] topicConfig.readQueueNums:[{readable}]",
            request.queue_id, request.topic
        );
        Refusal::new(ResponseCode::InvalidParameter, remark)
    })
}

fn hold_time(session: &Session, request: &PullRequest<'_>) -> Duration {
    if !request.flags().may_suspend() {
        return Duration::ZERO;
    }
    let asked = u64::try_from(request.suspend_timeout_ms).unwrap_or(0);
    Duration::from_millis(asked.min(session.role().config.pull_hold_max_ms))
}

impl Pull {
    /// What is there now.
    fn look(&self) -> Result<Found, Refusal> {
        self.found(self.role.client.select_now(&self.queue))
    }

    /// What is there when a message has come, or `wait` is over.
    async fn wait(self, wait: Duration) -> Frame {
        // Before the look at the reset, so that none is missed between the two.
        let moved = self
            .traffic
            .as_deref()
            .map(|traffic| traffic.moved.notified());
        let select = || self.role.client.select(self.queue.clone(), wait);
        let selected = match (self.moved(), moved) {
            (Some(found), _) => return found.frame(self.reply_to),
            (None, None) => Some(select().await),
            (None, Some(moved)) => tokio::select! {
                selected = select() => Some(selected),
                () = moved => None,
            },
        };
        if let Some(found) = self.moved() {
            return found.frame(self.reply_to);
        }
        let found = match selected {
            None => self.look(),
            Some(selected) => self.found(selected),
        };
        match found {
            Ok(found) => {
                self.count(&found, self.role.clock.now());
                found.frame(self.reply_to)
            }
            Err(refusal) => Frame::refusal(self.reply_to, &refusal),
        }
    }

    /// Where an operator has moved the group meanwhile, if elsewhere.
    fn moved(&self) -> Option<Found> {
        let FetchQueue { topic, queue, .. } = &self.queue;
        let name = topic.name().as_str();
        let target = self.role.resets.take(&self.group, name, *queue)?;
        if target == self.queue.offset {
            return None;
        }
        let range = self.role.client.offset_range(topic, *queue).ok()?;
        Some(Found::none(ResponseCode::PullOffsetMoved, target, range))
    }

    /// Counts the answer.
    fn count(&self, found: &Found, now: Timestamp) {
        let count = u64::try_from(found.messages.len()).unwrap_or(u64::MAX);
        let bytes = found.messages.iter().map(Bytes::len).sum::<usize>();
        let amount = Amount {
            messages: count,
            bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
            times: 1,
        };
        let traffic = self.traffic.as_deref();
        self.role.statistics.count_pull(traffic, amount, now);
        if let Some(traffic) = traffic {
            traffic.note_position(self.queue.queue, found.next_offset);
        }
    }

    fn found(&self, selected: Result<Selected, Error>) -> Result<Found, Refusal> {
        match selected {
            Ok(selected) => self.messages(selected),
            Err(Error::OffsetOutOfRange { requested, range }) => {
                let next = if requested < range.start {
                    range.start
                } else {
                    range.end
                };
                Ok(Found::none(ResponseCode::PullOffsetMoved, next, range))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn messages(&self, selected: Selected) -> Result<Found, Refusal> {
        let FetchQueue { topic, queue, .. } = &self.queue;
        let views = selected.messages.iter();
        let messages: Vec<Bytes> = views.map(|view| addressed(view, topic, *queue)).collect();
        if let [only] = messages.as_slice()
            && only.len() > FRAME_BYTES_MAX.saturating_sub(HEAD_BYTES_MAX)
        {
            let size = only.len();
            let limit = FRAME_BYTES_MAX;
            return Err(Error::MessageTooLarge { size, limit }.into());
        }
        let code = if !messages.is_empty() {
            ResponseCode::Success
        } else if selected.next_offset > self.queue.offset {
            ResponseCode::PullRetryImmediately
        } else {
            ResponseCode::PullNotFound
        };
        Ok(Found {
            code,
            next_offset: selected.next_offset,
            range: selected.range,
            messages,
        })
    }
}

impl Found {
    const fn none(code: ResponseCode, next_offset: QueueOffset, range: OffsetRange) -> Self {
        Self {
            code,
            next_offset,
            range,
            messages: Vec::new(),
        }
    }

    /// The status' name, as stock brokers remark it.
    const fn remark(&self) -> &'static str {
        match self.code {
            ResponseCode::Success => "FOUND",
            ResponseCode::PullRetryImmediately => "NO_MATCHED_MESSAGE",
            ResponseCode::PullNotFound => "OFFSET_OVERFLOW_ONE",
            _ => "OFFSET_OVERFLOW_BADLY",
        }
    }

    fn frame(self, reply_to: ReplyTo) -> Frame {
        let header = PullResponse {
            suggested_broker_id: MASTER,
            next_offset: self.next_offset.to_wire(),
            min_offset: self.range.start.to_wire(),
            max_offset: self.range.end.to_wire(),
            topic_sys_flag: Some(0),
            group_sys_flag: Some(0),
        };
        let answer = Answer {
            remark: Some(self.remark()),
            ..Answer::of(self.code).with_fields(&header)
        };
        Frame::with_body(reply_to, &answer, self.messages)
    }
}
