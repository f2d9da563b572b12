//! A consumer's messages as they come: server-sent events, lines of JSON, or a WebSocket.

use super::admission;
use super::subscriptions::Ack;
use crate::error::Refusal;
use crate::headers;
use crate::live::{self, Events, Form, Live, Positions};
use crate::names;
use crate::places;
use crate::receive::Wanted;
use crate::request::{Place, Underneath};
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gantry_core::model::{QueueId, QueueOffset};
use gantry_core::{Error, Hold, OffsetCommit};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";
/// What a WebSocket speaks, for clients that name what they do.
const SUBPROTOCOL: &str = "oms.stream.v1";
/// What of a WebSocket's frames is read at a time.
const READ_BYTES: usize = 4 << 10;

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
    /// `auto` settles messages as they are sent, `manual` waits for the client to say so.
    #[serde(default)]
    ack: Option<Ack>,
    /// Of `manual`: messages that may be out unanswered.
    #[serde(default)]
    credit: Option<u32>,
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

async fn open(
    State(server): State<Arc<OpenMessaging>>,
    place: Place,
    asked: Result<Query<Asked>, QueryRejection>,
    fields: HeaderMap,
    underneath: Underneath,
    upgrade: Upgrade,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::parameter(error.body_text()))?;
    check_origin(&server, &fields)?;
    let wanted = fields.get(header::UPGRADE);
    if wanted.is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket")) {
        let upgrade =
            upgrade.map_err(|error| Refusal::parameter(error.body_text()).with(error.status()))?;
        return socket(&server, &place, &asked, underneath, upgrade);
    }
    let ack = asked.ack.unwrap_or(Ack::Auto);
    let credit = server.config.live_credit_max;
    if asked.credit == Some(0) {
        return Err(Refusal::parameter("nothing could raise a credit of 0 here"));
    }
    let live = live(&server, &place, &asked, (ack, credit))?;
    let accept = fields.get(header::ACCEPT);
    let is_lines = accept.is_some_and(|kinds| kinds.to_str().is_ok_and(|all| all.contains(LINES)));
    let (form, kind) = if is_lines {
        (Form::Lines, LINES)
    } else {
        (Form::Events, EVENTS)
    };
    let positions = match ack {
        Ack::Manual => None,
        Ack::Auto => {
            if let Some(last) = headers::field(&fields, &LAST_EVENT_ID)? {
                resume(&server, live.wanted(), &last)?;
            }
            Some(positions(&server, live.wanted())?)
        }
    };
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let events = Events::new(live, form, positions, underneath.shutdown);
    Ok((fields, events.into_body()).into_response())
}

/// What is asked for, with the credit it has when it does not say.
fn live(
    server: &Arc<OpenMessaging>,
    place: &Place,
    asked: &Asked,
    (ack, credit_default): (Ack, u32),
) -> Result<Live, Refusal> {
    let namespace = place.namespace.as_deref();
    let permit = Arc::clone(&server.live).try_acquire_owned();
    let permit =
        permit.map_err(|_| Refusal::busy("busy: openmessaging.protocol.live_streams_max"))?;
    let wanted = Wanted {
        consumer: names::consumer(namespace, &place.name)?,
        source: server.topic(&names::source(namespace, &asked.source)?)?,
        max: server.config.receive_messages_max.max(1),
        bytes_max: server.config.live_bytes_max,
        wait: Duration::ZERO,
        hold: Hold::Millis(server.config.invisible_ms),
        filter: server.filter(asked.filter_type.as_deref(), asked.filter.as_deref())?,
    };
    let limit = server.config.live_credit_max;
    let live = Live::auto(Arc::clone(server), wanted, asked.source.clone(), permit);
    match (ack, asked.credit) {
        (Ack::Auto, None) => Ok(live),
        (Ack::Auto, Some(_)) => Err(Refusal::parameter("credit is of a stream with ack=manual")),
        (Ack::Manual, Some(credit)) if credit > limit => {
            let text = format!("credit is at most {limit}, not {credit}");
            Err(Refusal::parameter(text))
        }
        (Ack::Manual, credit) => Ok(live.manual(credit.unwrap_or(credit_default))),
    }
}

/// A browser lets every page open a stream, and sends no preflight: what the page may not see would
/// be taken from those who wait for it.
fn check_origin(server: &OpenMessaging, fields: &HeaderMap) -> Result<(), Refusal> {
    let is_allowed = admission::allowed_origin(&server.config, fields).is_some();
    if is_allowed || !fields.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let text = "pages of that origin are not let in: openmessaging.protocol.cors_origins";
    Err(Refusal::new(OmsStatus::Forbidden, text))
}

fn socket(
    server: &Arc<OpenMessaging>,
    place: &Place,
    asked: &Asked,
    underneath: Underneath,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    // A client that grants none gets none.
    let live = live(server, place, asked, (asked.ack.unwrap_or(Ack::Manual), 0))?;
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() && upgrade.requested_protocols().next().is_some() {
        let text = format!("the subprotocol is {SUBPROTOCOL}");
        return Err(Refusal::parameter(text));
    }
    let longest = server.config.live_frame_bytes_max;
    let upgrade = upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(server.config.live_bytes_max)
        .max_frame_size(longest)
        .max_message_size(longest);
    let open = underneath.keep();
    Ok(upgrade.on_upgrade(move |socket| async move {
        live::converse(socket, live, underneath.shutdown).await;
        drop(open);
    }))
}

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
