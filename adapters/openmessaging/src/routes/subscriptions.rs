//! A consumer's messages: received, and what it says of them (E.5).

use super::{each, json, parse, typed};
use crate::cloudevent;
use crate::error::Refusal;
use crate::head::Head;
use crate::names;
use crate::receive::Wanted;
use crate::request::Place;
use crate::server::OpenMessaging;
use crate::settle::{Settle, Settled, Verb};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use gantry_core::Hold;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

type Server = State<Arc<OpenMessaging>>;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/subscriptions/{name}/messages:receive", post(receive))
        .route("/subscriptions/{name}/messages:ack", post(ack))
        .route("/subscriptions/{name}/messages:nack", post(nack))
        .route("/subscriptions/{name}/messages:extend", post(extend))
        .route(
            "/subscriptions/{name}/messages:deadletter",
            post(dead_letter),
        )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Receive {
    source: String,
    #[serde(default)]
    max: Option<u32>,
    #[serde(default)]
    wait_millis: Option<u64>,
    #[serde(default)]
    invisible_millis: Option<u64>,
    #[serde(default)]
    filter: Option<String>,
    /// `TAG`, the default, or `SQL92`.
    #[serde(default)]
    filter_type: Option<String>,
    /// `auto` settles them as they are handed out; `manual`, the default, waits for `:ack`.
    #[serde(default)]
    ack: Ack,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ack {
    Auto,
    #[default]
    Manual,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Messages<'a> {
    messages: Vec<Head<'a>>,
}

async fn receive(
    State(server): Server,
    place: Place,
    fields: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let body = server.body(body, server.config.batch_bytes_max).await?;
    let asked: Receive = parse(&body)?;
    let namespace = place.namespace.as_deref();
    let limit = server.config.receive_messages_max;
    let max = asked.max.unwrap_or(1);
    if max == 0 || max > limit {
        return Err(Refusal::parameter(format!(
            "max is 1 to {limit}, not {max}"
        )));
    }
    let wanted = Wanted {
        consumer: names::consumer(namespace, &place.name)?,
        source: server.topic(&names::source(namespace, &asked.source)?)?,
        bytes_max: server.config.receive_bytes_max,
        max,
        wait: server.wait(asked.wait_millis),
        hold: Hold::Millis(server.invisible_ms(asked.invisible_millis)?),
        filter: server.filter(asked.filter_type.as_deref(), asked.filter.as_deref())?,
    };
    let received = server.receive(&wanted).await?;
    if received.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if asked.ack == Ack::Auto {
        let receipts: Vec<_> = received.iter().map(|one| one.receipt.clone()).collect();
        server.client.ack(&wanted.consumer, &receipts)?;
    }
    let bodies: Vec<_> = received.iter().map(|one| one.message.body(None)).collect();
    let messages = received
        .iter()
        .zip(&bodies)
        .map(|(one, (body, compression))| {
            let mut head = one.message.envelope(&asked.source, body, *compression);
            head.delivery_count = Some(one.attempt);
            if asked.ack == Ack::Manual {
                head.receipt_handle = Some(one.handle().into());
            }
            head
        });
    if cloudevent::names(fields.get(header::ACCEPT), cloudevent::BATCH) {
        let events = messages.zip(&bodies);
        let events: Vec<_> = events
            .map(|(head, (body, _))| head.structured(body))
            .collect();
        return Ok(typed(StatusCode::OK, cloudevent::BATCH, &events));
    }
    let messages = messages.collect();
    Ok(json(StatusCode::OK, &Messages { messages }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AllSettled<'a> {
    items: Vec<Settled<'a>>,
}

async fn ack(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settle(&server, &place, body, Verb::Ack).await
}

async fn nack(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settle(&server, &place, body, Verb::Nack).await
}

async fn extend(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settle(&server, &place, body, Verb::Extend).await
}

async fn dead_letter(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settle(&server, &place, body, Verb::DeadLetter).await
}

/// Does something with the receipts of a request, and tells of each what became of it.
async fn settle(
    server: &OpenMessaging,
    place: &Place,
    body: Body,
    verb: Verb,
) -> Result<Response, Refusal> {
    let body = server.body(body, server.config.batch_bytes_max).await?;
    let settle: Settle<'_> = parse(&body)?;
    let group = names::consumer(place.namespace.as_deref(), &place.name)?;
    let items = server.settle(verb, &group, &settle)?;
    let is_done = items.iter().all(Settled::is_done);
    Ok(each(is_done, &AllSettled { items }))
}
