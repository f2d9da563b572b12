//! Transactions: which are open, and how they end.

use super::{each, json, parse};
use crate::error::Refusal;
use crate::head::Head;
use crate::message::Handed;
use crate::names;
use crate::request::Place;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use crate::transaction::{End, Ends, handle};
use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gantry_core::model::QueueOffset;
use gantry_core::transactions::TransactionOutcome;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use utoipa::ToSchema;

type Server = State<Arc<OpenMessaging>>;

/// Transactions told of when the request does not say.
const LIMIT_DEFAULT: u32 = 32;

pub(super) fn routes() -> Router<Arc<OpenMessaging>> {
    Router::new()
        .route("/transactions", get(open))
        .route("/transactions:commit", post(commit))
        .route("/transactions:rollback", post(roll_back))
        .route("/transactions/{name}", post(end))
}

/// Whose.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    producer_group: Option<String>,
    limit: Option<u32>,
    cursor: Option<u64>,
}

/// Transactions that have no outcome yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct Open<'a> {
    transactions: Vec<OpenTransaction<'a>>,
    /// Where to go on looking.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenTransaction<'a> {
    transaction_handle: String,
    message: Head<'a>,
}

async fn open(
    State(server): Server,
    place: Place,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(asked) = asked.map_err(|error| Refusal::parameter(error.body_text()))?;
    let namespace = place.namespace.as_deref();
    let group = names::producer(namespace, asked.producer_group.as_deref())?;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    let limit = limit.clamp(1, server.config.receive_messages_max);
    let from = QueueOffset::new(asked.cursor.unwrap_or(0));
    let max = usize::try_from(limit).unwrap_or(usize::MAX);
    let found =
        server
            .client
            .open_transactions(&group, from, max, server.config.receive_bytes_max)?;
    let halves = found.halves.iter();
    let handed: Result<Vec<_>, _> = halves.map(|half| Handed::of(&half.record)).collect();
    let handed = handed?;
    let bodies: Vec<_> = handed.iter().map(|message| message.body(None)).collect();
    let transactions = found.halves.iter().zip(handed.iter().zip(&bodies));
    let transactions = transactions.map(|(half, (message, (body, compression)))| {
        let destination =
            names::within(namespace, message.topic()).unwrap_or_else(|| message.topic());
        let mut head = message.envelope(destination, body, *compression);
        // It has no place in its destination yet.
        head.offset = None;
        OpenTransaction {
            transaction_handle: handle(&half.group, half.position, half.offset),
            message: head,
        }
    });
    let open = Open {
        transactions: transactions.collect(),
        cursor: found.next.map(|next| next.to_string()),
    };
    Ok(json(StatusCode::OK, &open))
}

/// `{transactionHandle}:commit` or `:rollback`.
async fn end(State(server): Server, place: Place) -> Result<Response, Refusal> {
    let ends = [
        (":commit", TransactionOutcome::Commit),
        (":rollback", TransactionOutcome::Rollback),
    ];
    let asked = ends
        .iter()
        .find_map(|(verb, outcome)| Some((place.name.strip_suffix(verb)?, *outcome)));
    let Some((handle, outcome)) = asked else {
        let text = "a transaction is ended by :commit or :rollback";
        return Err(Refusal::new(OmsStatus::BadRequest, text).with(StatusCode::NOT_FOUND));
    };
    let handles = [Cow::Borrowed(handle)];
    let ended = server.end(&handles, outcome).await?;
    ended.into_iter().try_for_each(End::alone)?;
    Ok(StatusCode::OK.into_response())
}

/// What became of each of many.
#[derive(Serialize, ToSchema)]
pub(crate) struct AllEnded<'a> {
    items: Vec<End<'a>>,
}

async fn commit(State(server): Server, body: Body) -> Result<Response, Refusal> {
    end_all(&server, body, TransactionOutcome::Commit).await
}

async fn roll_back(State(server): Server, body: Body) -> Result<Response, Refusal> {
    end_all(&server, body, TransactionOutcome::Rollback).await
}

async fn end_all(
    server: &OpenMessaging,
    body: Body,
    outcome: TransactionOutcome,
) -> Result<Response, Refusal> {
    let body = server.body(body, server.config.batch_bytes_max).await?;
    let ends: Ends<'_> = parse(&body)?;
    let items = server.end(&ends.transaction_handles, outcome).await?;
    let is_done = items.iter().all(|item| item.status == 200);
    Ok(each(is_done, &AllEnded { items }))
}
