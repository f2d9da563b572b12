//! What consumers say of messages that they were given, and what became of each.

use crate::error::Refusal;
use crate::receipt;
use crate::server::OpenMessaging;
use gantry_core::model::GroupName;
use gantry_core::{Hold, LeaseOutcome, LeaseReceipt};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// What is done with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Ack,
    Nack,
    Extend,
    DeadLetter,
}

/// Which they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    bound(deserialize = "'de: 'a")
)]
pub(crate) struct Settle<'a> {
    #[serde(borrow)]
    pub(crate) receipt_handles: Vec<Cow<'a, str>>,
    /// Of `:nack`: how long until they may be handed out again.
    #[serde(default)]
    pub(crate) delay_millis: Option<u64>,
    /// Of `:extend`: how long they stay the consumer's, from now on.
    #[serde(default)]
    pub(crate) invisible_millis: Option<u64>,
}

/// What became of one of them.
#[derive(Debug, Serialize, ToSchema)]
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

impl Settled<'_> {
    pub(crate) const fn is_done(&self) -> bool {
        self.status == 200
    }

    /// Whether the client must know, who has what it asked for otherwise.
    pub(crate) const fn is_news(&self) -> bool {
        !self.is_done() || self.new_receipt_handle.is_some()
    }
}

/// What core says of a receipt, and the new one it may have.
type Said = Result<(LeaseOutcome, Option<LeaseReceipt>), Refusal>;

impl OpenMessaging {
    /// Does it, and tells of each message what became of it. A live stream that had it has room
    /// for another.
    ///
    /// # Errors
    /// Nothing was done.
    pub(crate) fn settle<'a>(
        &self,
        verb: Verb,
        group: &GroupName,
        settle: &'a Settle<'_>,
    ) -> Result<Vec<Settled<'a>>, Refusal> {
        let (count, limit) = (settle.receipt_handles.len(), self.config.batch_messages_max);
        if count == 0 || count > limit {
            let text = format!("there are 1 to {limit} receipt handles, not {count}");
            return Err(Refusal::parameter(text));
        }
        let handles = settle.receipt_handles.iter();
        let read: Vec<_> = handles.map(|handle| receipt::receipt(handle)).collect();
        let receipts: Vec<_> = read.iter().flatten().cloned().collect();
        let said = match verb {
            Verb::Ack => self.acknowledged(group, &receipts),
            Verb::Nack => self.returned(group, &receipts, settle.delay_millis),
            Verb::Extend => self.extended(group, &receipts, settle.invisible_millis),
            Verb::DeadLetter => self.buried(group, &receipts),
        }?;
        let answered = receipts.iter().zip(&said);
        let answered = answered.filter_map(|(receipt, said)| said.is_ok().then_some(receipt));
        self.outstanding.answered(group, answered);
        let mut said = said.into_iter();
        let items = settle.receipt_handles.iter().zip(read);
        let items = items.map(|(handle, read)| {
            let unknown = Ok((LeaseOutcome::Unknown, None));
            let said = read.and_then(|_| said.next().unwrap_or(unknown));
            told(handle, said)
        });
        Ok(items.collect())
    }

    fn acknowledged(
        &self,
        group: &GroupName,
        receipts: &[LeaseReceipt],
    ) -> Result<Vec<Said>, Refusal> {
        let outcomes = self.client.ack(group, receipts)?;
        Ok(outcomes.into_iter().map(|one| Ok((one, None))).collect())
    }

    fn returned(
        &self,
        group: &GroupName,
        receipts: &[LeaseReceipt],
        delay_ms: Option<u64>,
    ) -> Result<Vec<Said>, Refusal> {
        let delay = match delay_ms {
            None | Some(0) => {
                let outcomes = self.client.give_back(group, receipts)?;
                return Ok(outcomes.into_iter().map(|one| Ok((one, None))).collect());
            }
            delay => Hold::Millis(self.invisible_ms(delay)?),
        };
        let later = |receipt| {
            let (outcome, _) = self.client.extend(group, receipt, delay, true)?;
            Ok((outcome, None))
        };
        Ok(receipts.iter().map(later).collect())
    }

    fn extended(
        &self,
        group: &GroupName,
        receipts: &[LeaseReceipt],
        invisible_ms: Option<u64>,
    ) -> Result<Vec<Said>, Refusal> {
        let hold = Hold::Millis(self.invisible_ms(invisible_ms)?);
        let longer = |receipt: &LeaseReceipt| {
            let (outcome, token) = self.client.extend(group, receipt, hold, true)?;
            let renewed = LeaseReceipt {
                token,
                ..receipt.clone()
            };
            Ok((outcome, Some(renewed)))
        };
        Ok(receipts.iter().map(longer).collect())
    }

    fn buried(&self, group: &GroupName, receipts: &[LeaseReceipt]) -> Result<Vec<Said>, Refusal> {
        let none = || Refusal::parameter("the consumer's name is too long for dead letters");
        let to = self.dead_letters(group).ok_or_else(none)?;
        let bury = |receipt| Ok((self.client.dead_letter(group, receipt, &to)?, None));
        Ok(receipts.iter().map(bury).collect())
    }
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
