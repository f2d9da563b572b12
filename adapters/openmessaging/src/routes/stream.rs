//! A consumer's messages as they come: server-sent events, or a line of JSON each.

use super::messages::envelope;
use crate::error::Refusal;
use crate::headers;
use crate::names;
use crate::places;
use crate::receive::{Received, Wanted};
use crate::request::Place;
use crate::server::OpenMessaging;
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::{Error, LeaseReceipt, OffsetCommit};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new().route("/subscriptions/{name}/stream", get(open))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    source: String,
    #[serde(default)]
    filter: Option<String>,
    /// `TAG`, the default, or `SQL92`.
    #[serde(default)]
    filter_type: Option<String>,
}

async fn open(
    State(server): State<Arc<OpenMessaging>>,
    place: Place,
    asked: Result<Query<Asked>, QueryRejection>,
    fields: HeaderMap,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::parameter(error.body_text()))?;
    let namespace = place.namespace.as_deref();
    let permit = Arc::clone(&server.live).try_acquire_owned();
    let permit =
        permit.map_err(|_| Refusal::busy("busy: openmessaging.protocol.live_streams_max"))?;
    let wanted = Wanted {
        consumer: names::consumer(namespace, &place.name)?,
        source: server.topic(&names::source(namespace, &asked.source)?)?,
        max: server.config.receive_messages_max.max(1),
        bytes_max: server.config.live_bytes_max,
        // It waits elsewhere: whoever does holds one of `live_streams_max`, not of `waiting_max`.
        wait: Duration::ZERO,
        invisible_ms: server.config.invisible_ms,
        filter: server.filter(asked.filter_type.as_deref(), asked.filter.as_deref())?,
    };
    if let Some(last) = headers::field(&fields, &LAST_EVENT_ID)? {
        resume(&server, &wanted, &last)?;
    }
    let accept = fields.get(header::ACCEPT);
    let is_lines = accept.is_some_and(|kinds| kinds.to_str().is_ok_and(|all| all.contains(LINES)));
    let live = Live {
        positions: positions(&server, &wanted)?,
        server,
        wanted,
        source: asked.source,
        is_lines,
        unsettled: Vec::new(),
        _permit: permit,
    };
    let chunks = stream::unfold(live, |mut live| async {
        let chunk = live.next().await.ok()?;
        Some((Ok::<_, Infallible>(chunk), live))
    });
    let kind = HeaderValue::from_static(if is_lines { LINES } else { EVENTS });
    let fields = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((fields, Body::from_stream(chunks)).into_response())
}

/// By queue, what follows the last message that the client was sent.
type Positions = BTreeMap<QueueId, QueueOffset>;

/// Puts the consumer's progress where an event's id says.
fn resume(server: &OpenMessaging, wanted: &Wanted, id: &str) -> Result<(), Refusal> {
    let none = || Refusal::parameter("Last-Event-ID is of no event");
    let positions: Positions = places::read(id).ok_or_else(none)?.into_iter().collect();
    let mut commits = Vec::with_capacity(positions.len());
    for (queue, requested) in positions {
        let range = server.client.offset_range(&wanted.source, queue)?;
        if requested > range.end {
            return Err(Error::OffsetOutOfRange { requested, range }.into());
        }
        commits.push(OffsetCommit {
            topic: wanted.source.name().clone(),
            queue,
            // What retention took is passed over.
            offset: requested.max(range.start),
            leader_epoch: -1,
            metadata: String::new(),
        });
    }
    Ok(server.client.commit_offsets(&wanted.consumer, commits)?)
}

/// Where the consumer is.
fn positions(server: &OpenMessaging, wanted: &Wanted) -> Result<Positions, Refusal> {
    let (client, topic) = (&server.client, &wanted.source);
    let queues = 0..topic.spec().read_queues.max(1);
    let at = queues.map(|number| {
        let queue = QueueId::new(number);
        let progress = client.committed_offset(&wanted.consumer, topic.name(), queue);
        let offset = match progress {
            Some(progress) => QueueOffset::new(progress.offset),
            None => client.offset_range(topic, queue)?.start,
        };
        Ok((queue, offset))
    });
    at.collect()
}

/// A stream that a client reads. Nothing is leased ahead of what the connection takes.
struct Live {
    server: Arc<OpenMessaging>,
    wanted: Wanted,
    /// As the client calls it.
    source: String,
    is_lines: bool,
    positions: Positions,
    /// Of the chunk that the connection took last.
    unsettled: Vec<LeaseReceipt>,
    _permit: OwnedSemaphorePermit,
}

impl Live {
    /// Settles what the connection took before, and waits for more or for the next heartbeat.
    async fn next(&mut self) -> Result<Bytes, Refusal> {
        let client = &self.server.client;
        if !self.unsettled.is_empty() {
            client.ack(&self.wanted.consumer, &self.unsettled)?;
            self.unsettled.clear();
        }
        let request = self.server.lease_request(&self.wanted);
        let beat = Duration::from_millis(self.server.config.heartbeat_ms.max(1));
        client.lease_ready(&request, beat).await?;
        let received = self.server.receive(&self.wanted).await?;
        if received.is_empty() {
            let beat = if self.is_lines { "\n" } else { ":\n\n" };
            return Ok(Bytes::from_static(beat.as_bytes()));
        }
        self.unsettled = received.iter().map(|one| one.receipt.clone()).collect();
        let mut chunk = Vec::new();
        for one in &received {
            self.write(one, &mut chunk)?;
        }
        Ok(chunk.into())
    }

    fn write(&mut self, one: &Received, chunk: &mut Vec<u8>) -> Result<(), Refusal> {
        let after = one.receipt.offset.advance(1);
        let position = self.positions.entry(one.receipt.queue).or_default();
        *position = after.max(*position);
        if !self.is_lines {
            // All that the client has, once it has that event.
            let id = places::write(self.positions.iter().map(|(queue, at)| (*queue, *at)));
            chunk.extend_from_slice(format!("event: message\nid: {id}\ndata: ").as_bytes());
        }
        let (body, compression) = one.message.body(None);
        let mut head = envelope(&one.message, &self.source, &body, compression);
        head.delivery_count = Some(one.attempt);
        let written = serde_json::to_writer(&mut *chunk, &head);
        written.map_err(|error| Error::Storage(error.to_string()))?;
        chunk.extend_from_slice(if self.is_lines { b"\n" } else { b"\n\n" });
        Ok(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !self.unsettled.is_empty() {
            let group = &self.wanted.consumer;
            if let Err(error) = self.server.client.give_back(group, &self.unsettled) {
                tracing::debug!(%error, %group, "a stream's messages come back when their time is over");
            }
        }
    }
}
