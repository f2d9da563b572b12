//! Transactions: half messages by handle, and what their producers say of them.
//!
//! A handle is base64url of `1 | position u64 | offset u64 | group, UTF-8`. Nothing is kept of it
//! here, so that it is good on any connection and after a restart.

use crate::error::Refusal;
use crate::server::OpenMessaging;
use crate::status::OmsStatus;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gantry_core::Durability;
use gantry_core::model::{GroupName, PhysicalOffset, QueueOffset};
use gantry_core::transactions::{EndError, TransactionEnd, TransactionOutcome};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// The form of a handle.
const FORM: u8 = 1;

/// Transactions to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    bound(deserialize = "'de: 'a")
)]
pub(crate) struct Ends<'a> {
    #[serde(borrow)]
    pub(crate) transaction_handles: Vec<Cow<'a, str>>,
}

/// What became of one of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct End<'a> {
    transaction_handle: &'a str,
    pub(crate) status: u16,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The handle of a half message.
pub(crate) fn handle(group: &GroupName, position: PhysicalOffset, offset: QueueOffset) -> String {
    let group = group.as_str().as_bytes();
    let mut bytes = Vec::with_capacity(17 + group.len());
    bytes.push(FORM);
    bytes.extend_from_slice(&position.get().to_be_bytes());
    bytes.extend_from_slice(&offset.get().to_be_bytes());
    bytes.extend_from_slice(group);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What a handle's transaction ends by.
fn end_of(handle: &str, outcome: TransactionOutcome) -> Result<TransactionEnd, Refusal> {
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (&form, bytes) = bytes.split_first()?;
        let (position, bytes) = bytes.split_first_chunk()?;
        let (offset, group) = bytes.split_first_chunk()?;
        let group = GroupName::new(std::str::from_utf8(group).ok()?).ok()?;
        (form == FORM).then_some(TransactionEnd {
            group: group.as_str().to_owned(),
            position: PhysicalOffset::new(u64::from_be_bytes(*position)),
            offset: QueueOffset::new(u64::from_be_bytes(*offset)),
            outcome,
            answers_check: false,
        })
    };
    read().ok_or_else(|| Refusal::parameter("the transaction handle is none of this broker's"))
}

impl OpenMessaging {
    /// Ends transactions, each with its own outcome, all with one write.
    ///
    /// # Errors
    /// Nothing was done.
    pub(crate) async fn end<'a>(
        &self,
        handles: &'a [Cow<'a, str>],
        outcome: TransactionOutcome,
    ) -> Result<Vec<End<'a>>, Refusal> {
        let (count, limit) = (handles.len(), self.config.batch_messages_max);
        if count == 0 || count > limit {
            let text = format!("there are 1 to {limit} transaction handles, not {count}");
            return Err(Refusal::parameter(text));
        }
        let read: Vec<_> = handles.iter().map(|text| end_of(text, outcome)).collect();
        let ends: Vec<_> = read.iter().flatten().cloned().collect();
        let ended = self.client.end_transactions(&ends, Durability::Configured);
        let mut ended = ended.into_iter();
        let mut told = Vec::with_capacity(count);
        for (text, read) in handles.iter().zip(read) {
            let said = match read {
                Err(refusal) => Err(refusal),
                Ok(_) => match ended.next() {
                    Some(Ok(ended)) => ended.durable().await.map_err(Refusal::from),
                    Some(Err(error)) => Err(refusal_of(error)),
                    None => Err(refusal_of(EndError::NotFound)),
                },
            };
            told.push(End::of(text, said));
        }
        Ok(told)
    }
}

impl<'a> End<'a> {
    fn of(handle: &'a str, said: Result<(), Refusal>) -> Self {
        let (status, outcome, detail) = match &said {
            Ok(()) => (StatusCode::OK, "done", None),
            Err(refusal) => (
                refusal.status(),
                match refusal.status() {
                    StatusCode::NOT_FOUND => "unknown",
                    StatusCode::CONFLICT => "over",
                    _ => "refused",
                },
                Some(refusal.detail().to_owned()),
            ),
        };
        Self {
            transaction_handle: handle,
            status: status.as_u16(),
            outcome,
            detail,
        }
    }

    /// The same as the answer to a request about it alone.
    ///
    /// # Errors
    /// It was not done.
    pub(crate) fn alone(self) -> Result<(), Refusal> {
        let detail = self.detail.unwrap_or_default();
        let refusal = match StatusCode::from_u16(self.status) {
            Ok(StatusCode::OK) => return Ok(()),
            Ok(status) if status.is_server_error() => {
                Refusal::new(OmsStatus::Storage, detail).with(status)
            }
            Ok(status) => Refusal::parameter(detail).with(status),
            Err(_) => Refusal::new(OmsStatus::Server, detail),
        };
        Err(refusal)
    }
}

fn refusal_of(error: EndError) -> Refusal {
    let detail = error.to_string();
    let status = match error {
        EndError::NotFound
        | EndError::WrongGroup
        | EndError::WrongOffset
        | EndError::WrongPosition => StatusCode::NOT_FOUND,
        EndError::Ended | EndError::TooLate => StatusCode::CONFLICT,
        EndError::Other(error) => return error.into(),
    };
    Refusal::parameter(detail).with(status)
}
