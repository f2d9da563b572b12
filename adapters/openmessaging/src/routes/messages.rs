//! Messages of a destination: sent one by one or many at once, looked at, taken back.

use super::{created, each, json, parse};
use crate::cloudevent;
use crate::error::{Problem, Refusal};
use crate::head::Head;
use crate::headers;
use crate::message::Handed;
use crate::names;
use crate::places;
use crate::produce::{Sent, read_recall_handle};
use crate::request::{Peer, Place};
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use gantry_core::model::{QueueId, QueueOffset, Timestamp};
use gantry_core::{FetchQueue, Topic};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::ToSchema;

type Server = State<Arc<OpenMessaging>>;

/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RESPOND_ASYNC: &str = "respond-async";
const NDJSON: &str = "application/x-ndjson";
/// Messages looked at when the request does not say.
const LOOK_DEFAULT: u32 = 32;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/destinations/{name}/messages", get(browse).post(send))
        .route("/destinations/{name}/messages:batch", post(send_batch))
        .route("/messages/{name}", post(recall))
}

/// One message; its body is the request's.
async fn send(
    State(server): Server,
    place: Place,
    Peer(peer): Peer,
    fields: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    headers::check_version(&fields, false)?;
    let name = names::destination(place.namespace.as_deref(), &place.name)?;
    let mut head = Head::read(&fields)?;
    let prefers_async = fields
        .get_all(PREFER)
        .iter()
        .any(|value| cloudevent::names(Some(value), RESPOND_ASYNC));
    if prefers_async {
        // In the log, and not waited for until it is on the disk.
        head.durability = Some(0);
    }
    let mut response = created(&server.send_one(&name, head, body, peer).await?);
    if prefers_async {
        *response.status_mut() = StatusCode::ACCEPTED;
        let applied = HeaderValue::from_static(RESPOND_ASYNC);
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// What became of one message of a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Outcome<'a> {
    Sent {
        status: u16,
        #[serde(flatten)]
        sent: &'a Sent,
    },
    Refused(Problem<'a>),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Outcomes<'a> {
    items: Vec<Outcome<'a>>,
}

/// Messages of an envelope each: an array, an object with `messages`, or lines.
async fn send_batch(
    State(server): Server,
    place: Place,
    Peer(peer): Peer,
    fields: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    headers::check_version(&fields, false)?;
    let name = names::destination(place.namespace.as_deref(), &place.name)?;
    let body = server.body(body, server.config.batch_bytes_max).await?;
    let kind = headers::field(&fields, &header::CONTENT_TYPE)?;
    let is_lines = kind.is_some_and(|kind| kind.starts_with(NDJSON));
    let is_events = cloudevent::names(fields.get(header::CONTENT_TYPE), cloudevent::BATCH);
    let messages = if is_lines {
        lines(&body)
    } else if is_events {
        let events: Vec<&RawValue> = parse(&body)?;
        events.into_iter().map(cloudevent::opened).collect()
    } else {
        array(&body)?
    };
    let (count, limit) = (messages.len(), server.config.batch_messages_max);
    if count == 0 || count > limit {
        let text = format!("a batch has 1 to {limit} messages, not {count}");
        return Err(Refusal::parameter(text));
    }
    let topic = server.client.topic_or_create(&name, None)?;
    let outcomes = server.send(&topic, messages, peer).await;
    let items: Vec<_> = outcomes.iter().map(outcome).collect();
    let is_done = outcomes.iter().all(Result::is_ok);
    Ok(each(is_done, &Outcomes { items }))
}

fn outcome(outcome: &Result<Sent, Refusal>) -> Outcome<'_> {
    match outcome {
        Ok(sent) => Outcome::Sent {
            status: StatusCode::CREATED.as_u16(),
            sent,
        },
        Err(refusal) => Outcome::Refused(refusal.problem()),
    }
}

type Envelopes<'a> = Vec<Result<(Head<'a>, Bytes), Refusal>>;

fn lines(body: &Bytes) -> Envelopes<'_> {
    let lines = body.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    lines.map(|line| opened(parse(line)?, body)).collect()
}

/// Messages in one object; an array of them is as good.
#[derive(Deserialize, ToSchema)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct Batch<'a> {
    messages: Vec<Head<'a>>,
}

fn array(body: &Bytes) -> Result<Envelopes<'_>, Refusal> {
    let heads: Vec<Head<'_>> = if body.trim_ascii_start().starts_with(b"[") {
        parse(body)?
    } else {
        let named: Batch<'_> = parse(body)?;
        named.messages
    };
    Ok(heads.into_iter().map(|head| opened(head, body)).collect())
}

fn opened<'a>(mut head: Head<'a>, source: &Bytes) -> Result<(Head<'a>, Bytes), Refusal> {
    let body = head.take_body(source).map_err(Refusal::parameter)?;
    Ok((head, body))
}

/// Where to look.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Look {
    partition: Option<u32>,
    offset: Option<u64>,
    timestamp: Option<i64>,
    key: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Seen<'a> {
    messages: Vec<Head<'a>>,
    /// Where to go on looking.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Looks at messages; nobody's progress changes.
async fn browse(
    State(server): Server,
    place: Place,
    look: Result<Query<Look>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(look) = look.map_err(|error| Refusal::parameter(error.body_text()))?;
    let name = names::source(place.namespace.as_deref(), &place.name)?;
    let topic = server.topic(&name)?;
    let limit = look.limit.unwrap_or(LOOK_DEFAULT);
    let limit = limit.clamp(1, server.config.receive_messages_max);
    let (views, cursor) = match &look.key {
        Some(key) => {
            let since = Timestamp::from_millis(look.timestamp.unwrap_or(0));
            let times = since..Timestamp::from_millis(i64::MAX);
            let count = usize::try_from(limit).unwrap_or(usize::MAX);
            (
                server.client.query_key(name.as_str(), key, &times, count),
                None,
            )
        }
        None => {
            let mut from = starts(&server, &topic, &look)?;
            let views = walk(&server, &topic, &mut from, limit)?;
            (views, Some(places::write(from)))
        }
    };
    let handed: Result<Vec<_>, _> = views.iter().map(|view| Handed::of(&view.bytes)).collect();
    let handed = handed?;
    let bodies: Vec<_> = handed.iter().map(|message| message.body(None)).collect();
    let messages = handed
        .iter()
        .zip(&bodies)
        .map(|(message, (body, compression))| message.envelope(&place.name, body, *compression));
    let messages = messages.collect();
    Ok(json(StatusCode::OK, &Seen { messages, cursor }))
}

/// Partitions with the offsets to look from.
fn starts(
    server: &OpenMessaging,
    topic: &Topic,
    look: &Look,
) -> Result<Vec<places::Place>, Refusal> {
    if let Some(cursor) = &look.cursor {
        let wrong = || Refusal::parameter("the cursor is none");
        return places::read(cursor).ok_or_else(wrong);
    }
    let count = topic.spec().read_queues;
    let queues = match look.partition {
        Some(one) => one..one.saturating_add(1),
        None if look.offset.is_some() && count > 1 => {
            return Err(Refusal::parameter("an offset is of a partition: say which"));
        }
        None => 0..count,
    };
    let mut starts = Vec::new();
    for queue in queues.map(QueueId::new) {
        let range = server.client.offset_range(topic, queue)?;
        let at = match (look.offset, look.timestamp) {
            (Some(offset), _) => QueueOffset::new(offset),
            (None, Some(time)) => {
                let time = Timestamp::from_millis(time);
                let found = server.client.offset_stored_at(topic, queue, time)?;
                found.unwrap_or(range.end)
            }
            (None, None) => range.start,
        };
        starts.push((queue, at));
    }
    Ok(starts)
}

/// Up to `limit` messages from the places on, which are then behind them.
fn walk(
    server: &OpenMessaging,
    topic: &Arc<Topic>,
    places: &mut [places::Place],
    limit: u32,
) -> Result<Vec<gantry_core::MessageView>, Refusal> {
    let mut views = Vec::new();
    let mut room = server.config.receive_bytes_max;
    for (queue, offset) in places {
        let taken = u32::try_from(views.len()).unwrap_or(u32::MAX);
        let left = limit.saturating_sub(taken);
        if left == 0 || (room == 0 && !views.is_empty()) {
            break;
        }
        let selected = server.client.select_now(&FetchQueue {
            topic: Arc::clone(topic),
            queue: *queue,
            offset: *offset,
            bytes_max: room,
            messages_max: left,
            filter: None,
        })?;
        *offset = selected.next_offset;
        for view in selected.messages {
            room = room.saturating_sub(view.bytes.len());
            views.push(view);
        }
    }
    Ok(views)
}

/// Takes a message back that waits for its time: `{recallHandle}:recall`.
async fn recall(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let Some(handle) = place.name.strip_suffix(":recall") else {
        let text = "a message of a recall handle can be recalled (:recall)";
        return Err(Refusal::new(OmsStatus::BadRequest, text).with(StatusCode::NOT_FOUND));
    };
    let wrong = || Refusal::parameter("the recall handle is none of this broker's");
    let (topic, id, due) = read_recall_handle(handle).ok_or_else(wrong)?;
    if server.client.recall(&topic, &id, due)? {
        return Ok(StatusCode::OK.into_response());
    }
    let text = "no such message waits: it is delivered or was taken back";
    Err(Refusal::new(OmsStatus::BadParameter, text).with(StatusCode::NOT_FOUND))
}
