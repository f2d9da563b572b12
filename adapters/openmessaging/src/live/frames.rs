//! What the two sides of a WebSocket say, a frame of JSON text each.

use crate::error::{Problem, Refusal};
use crate::settle::{Settle, Settled, Verb};
use crate::status::OmsStatus;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What a client asks for.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// So many messages may be out unanswered.
    Credit(u32),
    /// Something is done with messages.
    Settle(Verb, Settle<'a>),
}

type Handles<'a> = Option<Vec<Cow<'a, str>>>;

#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "camelCase",
    deny_unknown_fields,
    bound(deserialize = "'de: 'a")
)]
struct Frame<'a> {
    /// The client's own, for the answer.
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    credit: Option<u32>,
    #[serde(default, borrow)]
    ack: Handles<'a>,
    #[serde(default, borrow)]
    nack: Handles<'a>,
    #[serde(default, borrow)]
    extend: Handles<'a>,
    #[serde(default, borrow)]
    dead_letter: Handles<'a>,
    #[serde(default)]
    delay_millis: Option<u64>,
    #[serde(default)]
    invisible_millis: Option<u64>,
}

/// What a frame asks for, and the id that the answer has.
pub(super) fn read(text: &str) -> (Option<u64>, Result<Asked<'_>, Refusal>) {
    let frame: Frame<'_> = match serde_json::from_str(text) {
        Ok(frame) => frame,
        Err(error) => {
            let text = format!("the JSON: {error}");
            return (None, Err(Refusal::new(OmsStatus::BadRequest, text)));
        }
    };
    let (delay_millis, invisible_millis) = (frame.delay_millis, frame.invisible_millis);
    let settle = |verb, receipt_handles| {
        Asked::Settle(
            verb,
            Settle {
                receipt_handles,
                delay_millis,
                invisible_millis,
            },
        )
    };
    let asked = [
        frame.credit.map(Asked::Credit),
        frame.ack.map(|handles| settle(Verb::Ack, handles)),
        frame.nack.map(|handles| settle(Verb::Nack, handles)),
        frame.extend.map(|handles| settle(Verb::Extend, handles)),
        frame
            .dead_letter
            .map(|handles| settle(Verb::DeadLetter, handles)),
    ];
    let mut asked = asked.into_iter().flatten();
    let asked = match (asked.next(), asked.next()) {
        (Some(only), None) => Ok(only),
        _ => {
            let text = "a frame has one of credit, ack, nack, extend and deadLetter";
            Err(Refusal::new(OmsStatus::BadRequest, text))
        }
    };
    (frame.id, asked)
}

/// What the client is told beside its messages.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Told<'a> {
    Settled {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        items: Vec<Settled<'a>>,
    },
    Error {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        #[serde(flatten)]
        problem: Problem<'a>,
    },
}

impl Told<'_> {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;

    #[test]
    fn a_frame_asks_for_one_thing() {
        let Ok(Asked::Credit(7)) = read(r#"{"credit":7}"#).1 else {
            panic!("credit");
        };
        let (id, asked) = read(r#"{"nack":["a","b"],"delayMillis":5,"id":3}"#);
        let Ok(Asked::Settle(Verb::Nack, settle)) = asked else {
            panic!("nack: {asked:?}");
        };
        assert_eq!(id, Some(3));
        assert_eq!(settle.receipt_handles, ["a", "b"]);
        assert_eq!(settle.delay_millis, Some(5));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"id":1}"#,
            r#"{"credit":-1}"#,
            r#"{"credit":1,"ack":[]}"#,
            r#"{"ack":"a"}"#,
            r#"{"acks":[]}"#,
        ] {
            assert!(read(wrong).1.is_err(), "{wrong}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).1.is_err());
    }
}
