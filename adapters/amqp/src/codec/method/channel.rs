//! Class 20: channels.

use super::{connection, methods};
use crate::codec::ShortString;
use bytes::Bytes;

methods! {
    Open = 20 10 {
        out_of_band: ShortString,
    }
    OpenOk = 20 11 {
        channel_id: Bytes,
    }
    Flow = 20 20 {
        active: bool,
    }
    FlowOk = 20 21 {
        active: bool,
    }
    Close = 20 40 {
        reply_code: u16,
        reply_text: ShortString,
        /// Of the method that failed, or 0.
        class_id: u16,
        /// Of the method that failed, or 0.
        method_id: u16,
    }
    CloseOk = 20 41 {}
}

impl From<connection::Close> for Close {
    fn from(close: connection::Close) -> Self {
        let connection::Close {
            reply_code,
            reply_text,
            class_id,
            method_id,
        } = close;
        Self {
            reply_code,
            reply_text,
            class_id,
            method_id,
        }
    }
}
