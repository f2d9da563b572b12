//! A consumer's messages: received, and what it says of them (E.5).

use super::messages::envelope;
use super::{each, json, parse};
use crate::error::Refusal;
use crate::head::Head;
use crate::names;
use crate::receipt;
use crate::receive::Wanted;
use crate::request::Place;
use crate::server::OpenMessaging;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use gantry_core::model::GroupName;
use gantry_core::{Hold, LeaseOutcome, LeaseReceipt};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
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

async fn receive(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
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
        invisible_ms: server.invisible_ms(asked.invisible_millis)?,
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
            let mut head = envelope(&one.message, &asked.source, body, *compression);
            head.delivery_count = Some(one.attempt);
            if asked.ack == Ack::Manual {
                head.receipt_handle = Some(one.handle().into());
            }
            head
        });
    let messages = messages.collect();
    Ok(json(StatusCode::OK, &Messages { messages }))
}

/// What is said of messages that were received.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    bound(deserialize = "'de: 'a")
)]
pub(crate) struct Settle<'a> {
    #[serde(borrow)]
    receipt_handles: Vec<Cow<'a, str>>,
    /// Of `:nack`: how long until they may be handed out again.
    #[serde(default)]
    delay_millis: Option<u64>,
    /// Of `:extend`: how long they stay the consumer's, from now on.
    #[serde(default)]
    invisible_millis: Option<u64>,
}

/// What became of one of them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settled<'a> {
    receipt_handle: &'a str,
    status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What acknowledges it from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    new_receipt_handle: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AllSettled<'a> {
    items: Vec<Settled<'a>>,
}

/// What core says of a receipt, and the new one it may have.
type Said = Result<(LeaseOutcome, Option<LeaseReceipt>), Refusal>;

async fn ack(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settled(&server, &place, body, |group, receipts, _| {
        let outcomes = server.client.ack(group, receipts)?;
        Ok(outcomes.into_iter().map(|one| Ok((one, None))).collect())
    })
    .await
}

async fn nack(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settled(&server, &place, body, |group, receipts, settle| {
        let delay = match settle.delay_millis {
            None | Some(0) => {
                let outcomes = server.client.give_back(group, receipts)?;
                return Ok(outcomes.into_iter().map(|one| Ok((one, None))).collect());
            }
            delay => server.invisible_ms(delay)?,
        };
        let later = |receipt| {
            let (outcome, _) = server
                .client
                .extend(group, receipt, Hold::Millis(delay), true)?;
            Ok((outcome, None))
        };
        Ok(receipts.iter().map(later).collect())
    })
    .await
}

async fn extend(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settled(&server, &place, body, |group, receipts, settle| {
        let hold = Hold::Millis(server.invisible_ms(settle.invisible_millis)?);
        let longer = |receipt: &LeaseReceipt| {
            let (outcome, token) = server.client.extend(group, receipt, hold, true)?;
            let renewed = LeaseReceipt {
                token,
                ..receipt.clone()
            };
            Ok((outcome, Some(renewed)))
        };
        Ok(receipts.iter().map(longer).collect())
    })
    .await
}

async fn dead_letter(State(server): Server, place: Place, body: Body) -> Result<Response, Refusal> {
    settled(&server, &place, body, |group, receipts, _| {
        let none = || Refusal::parameter("the consumer's name is too long for dead letters");
        let to = server.dead_letters(group).ok_or_else(none)?;
        let bury = |receipt| Ok((server.client.dead_letter(group, receipt, &to)?, None));
        Ok(receipts.iter().map(bury).collect())
    })
    .await
}

/// Does something with the receipts of a request, and tells of each what became of it.
async fn settled(
    server: &OpenMessaging,
    place: &Place,
    body: Body,
    act: impl FnOnce(&GroupName, &[LeaseReceipt], &Settle<'_>) -> Result<Vec<Said>, Refusal>,
) -> Result<Response, Refusal> {
    let body = server.body(body, server.config.batch_bytes_max).await?;
    let settle: Settle<'_> = parse(&body)?;
    let group = names::consumer(place.namespace.as_deref(), &place.name)?;
    let (count, limit) = (
        settle.receipt_handles.len(),
        server.config.batch_messages_max,
    );
    if count == 0 || count > limit {
        let text = format!("there are 1 to {limit} receipt handles, not {count}");
        return Err(Refusal::parameter(text));
    }
    let handles = settle.receipt_handles.iter();
    let read: Vec<_> = handles.map(|handle| receipt::receipt(handle)).collect();
    let receipts: Vec<_> = read.iter().flatten().cloned().collect();
    let mut said = act(&group, &receipts, &settle)?.into_iter();
    let items = settle.receipt_handles.iter().zip(read);
    let items = items.map(|(handle, read)| {
        let unknown = Ok((LeaseOutcome::Unknown, None));
        let said = read.and_then(|_| said.next().unwrap_or(unknown));
        told(handle, said)
    });
    let items: Vec<_> = items.collect();
    let is_done = items.iter().all(|item| item.status == 200);
    Ok(each(is_done, &AllSettled { items }))
}

fn told(handle: &str, said: Said) -> Settled<'_> {
    let (status, outcome, detail, renewed) = match said {
        Ok((LeaseOutcome::Done, renewed)) => (200, "done", None, renewed),
        Ok((LeaseOutcome::Settled, _)) => (200, "settled before", None, None),
        Ok((LeaseOutcome::Stale, _)) => (409, "stale", None, None),
        Ok((LeaseOutcome::Unknown, _)) => (404, "unknown", None, None),
        Err(refusal) => {
            let detail = Some(refusal.detail().to_owned());
            (refusal.status().as_u16(), "refused", detail, None)
        }
    };
    Settled {
        receipt_handle: handle,
        status,
        outcome,
        detail,
        new_receipt_handle: renewed.map(|receipt| receipt::handle(&receipt)),
    }
}
