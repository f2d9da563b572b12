//! A message and the answer to it in one request.
//!
//! All answers of a namespace come to one topic, [`REPLIES`]; who waits reads it from where it
//! ended before the message was sent, and takes what has its correlation id.

use super::oms::raw;
use crate::error::Refusal;
use crate::head::Head;
use crate::headers;
use crate::message::Handed;
use crate::names;
use crate::request::{Peer, Place};
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gantry_core::FetchQueue;
use gantry_core::model::QueueId;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Where answers go.
const REPLIES: &str = "oms-replies";
/// Answers looked at in one go; most are others'.
const LOOK: u32 = 256;

/// How long to wait.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Asked {
    timeout_millis: Option<u64>,
}

/// `{destination}:request`: sends a message, and answers with what answers it.
pub(super) async fn ask(
    State(server): State<Arc<OpenMessaging>>,
    place: Place,
    Peer(peer): Peer,
    asked: Result<Query<Asked>, QueryRejection>,
    fields: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::parameter(error.body_text()))?;
    headers::check_version(&fields, false)?;
    let Some(name) = place.name.strip_suffix(":request") else {
        let text = "a destination can be asked by POST (:request), itself it takes none";
        let refusal = Refusal::new(OmsStatus::BadRequest, text);
        let mut response = refusal.with(StatusCode::METHOD_NOT_ALLOWED).into_response();
        let allowed = HeaderValue::from_static("GET, HEAD, PUT, DELETE");
        response.headers_mut().insert(header::ALLOW, allowed);
        return Ok(response);
    };
    let namespace = place.namespace.as_deref();
    let destination = names::destination(namespace, name)?;
    let permit = server.waiting.try_acquire();
    let _permit = permit.map_err(|_| Refusal::busy("busy: openmessaging.protocol.waiting_max"))?;
    let replies = names::destination(namespace, REPLIES)?;
    let replies = server.client.topic_or_create(&replies, Some(1))?;
    let from = server.client.offset_range(&replies, QueueId::new(0))?.end;
    let mut head = Head::read(&fields)?;
    let id = head.correlation_id.take();
    let id = id.map_or_else(|| server.next_id(), std::borrow::Cow::into_owned);
    head.correlation_id = Some(id.clone().into());
    head.reply_to = Some(REPLIES.into());
    server.send_one(&destination, head, body, peer).await?;

    let wait = server.wait(asked.timeout_millis.or(Some(u64::MAX)));
    let answers = FetchQueue {
        topic: replies,
        queue: QueueId::new(0),
        offset: from,
        bytes_max: server.config.receive_bytes_max,
        messages_max: LOOK,
        filter: None,
    };
    match server.answer(answers, &id, wait).await? {
        Some(answer) => {
            let (body, compression) = answer.body(Some(&fields));
            Ok(raw(&answer.head(REPLIES, compression), body.into()))
        }
        None => {
            let text = format!("nobody answered {id} in time");
            Err(Refusal::new(OmsStatus::RequestTimeout, text))
        }
    }
}

impl OpenMessaging {
    /// The first message from a place on that has a correlation id, if one comes in time.
    async fn answer(
        &self,
        mut from: FetchQueue,
        id: &str,
        wait: Duration,
    ) -> Result<Option<Handed>, Refusal> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = self.client.select(from.clone(), left).await?;
            for view in &found.messages {
                let handed = Handed::of(&view.bytes)?;
                if handed.head(REPLIES, None).correlation_id.as_deref() == Some(id) {
                    return Ok(Some(handed));
                }
            }
            if found.messages.is_empty() {
                // The time is over, or the broker stops.
                return Ok(None);
            }
            from.offset = found.next_offset;
        }
    }
}
