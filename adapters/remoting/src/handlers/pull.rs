//! Pulls: 11 and 361, held until a message comes when the client allows it.

use super::offsets;
use super::subscription::filter_of;
use crate::error::Refusal;
use crate::names;
use crate::reply::{Frame, Reply};
use crate::session::Session;
use bytes::Bytes;
use gantry_core::model::{OffsetRange, QueueId, QueueOffset};
use gantry_core::{Client, Error, FetchLimits, FetchQueue, Fetched, TagFilter, Topic};
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
    client: Client,
    reply_to: ReplyTo,
    queue: FetchQueue,
    messages_max: u32,
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
        client: role.client.clone(),
        reply_to: command.reply_to(),
        messages_max,
        queue: FetchQueue {
            topic,
            queue,
            offset,
            bytes_max: role.config.pull_bytes_max,
            messages_max,
            filter,
        },
    };
    let found = pull.look()?;
    let wait = hold_time(session, &request);
    if found.code != ResponseCode::PullNotFound || wait.is_zero() {
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
    if !names::is_legal_group(request.group) {
        return Err(Refusal::group_not_found(request.group));
    }
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
        let queues = std::slice::from_ref(&self.queue);
        let mut fetched = self.client.fetch_now(queues, self.queue.bytes_max);
        self.found(fetched.pop())
    }

    /// What is there when a message has come, or `wait` is over.
    async fn wait(self, wait: Duration) -> Frame {
        let limits = FetchLimits {
            bytes_max: self.queue.bytes_max,
            bytes_min: 1,
            wait,
        };
        let queues = std::slice::from_ref(&self.queue);
        let mut fetched = self.client.fetch(queues, limits).await;
        match self.found(fetched.pop()) {
            Ok(found) => found.frame(self.reply_to),
            Err(refusal) => Frame::refusal(self.reply_to, &refusal),
        }
    }

    fn found(&self, fetched: Option<Result<Fetched, Error>>) -> Result<Found, Refusal> {
        match fetched {
            Some(Ok(fetched)) => self.messages(&fetched),
            Some(Err(Error::OffsetOutOfRange { requested, range })) => {
                let next = if requested < range.start {
                    range.start
                } else {
                    range.end
                };
                Ok(Found::none(ResponseCode::PullOffsetMoved, next, range))
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(Error::Internal("a fetch without an outcome".to_owned()).into()),
        }
    }

    fn messages(&self, fetched: &Fetched) -> Result<Found, Refusal> {
        let range = fetched.range;
        let filter: Option<&TagFilter> = self.queue.filter.as_deref();
        let (views, mut next) =
            self.client
                .messages(fetched, self.queue.offset, self.messages_max, filter)?;
        let mut room = self.queue.bytes_max;
        let mut messages = Vec::with_capacity(views.len());
        for view in views {
            // A record of a batch may be far larger as a message than it was in the batch.
            if view.bytes.len() > room && !messages.is_empty() {
                next = view.offset;
                break;
            }
            room = room.saturating_sub(view.bytes.len());
            messages.push(view.bytes);
        }
        if let [only] = messages.as_slice()
            && only.len() > FRAME_BYTES_MAX.saturating_sub(HEAD_BYTES_MAX)
        {
            let size = only.len();
            let limit = FRAME_BYTES_MAX;
            return Err(Error::MessageTooLarge { size, limit }.into());
        }
        let code = if !messages.is_empty() {
            ResponseCode::Success
        } else if next > self.queue.offset {
            ResponseCode::PullRetryImmediately
        } else {
            ResponseCode::PullNotFound
        };
        Ok(Found {
            code,
            next_offset: next,
            range,
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
