//! Class 10: the handshake, its end, and RabbitMQ's words between.

use super::methods;
use crate::codec::{MethodId, ReplyCode, ShortString, Table};
use bytes::Bytes;

methods! {
    Start = 10 10 {
        version_major: u8,
        version_minor: u8,
        server_properties: Table,
        /// Names between spaces.
        mechanisms: Bytes,
        /// Names between spaces.
        locales: Bytes,
    }
    StartOk = 10 11 {
        client_properties: Table,
        mechanism: ShortString,
        /// What the mechanism says: a secret.
        response: Bytes,
        locale: ShortString,
    }
    Secure = 10 20 {
        challenge: Bytes,
    }
    SecureOk = 10 21 {
        response: Bytes,
    }
    Tune = 10 30 {
        /// 0 is no limit.
        channel_max: u16,
        /// In bytes; 0 is no limit.
        frame_max: u32,
        /// In seconds; 0 is none.
        heartbeat: u16,
    }
    TuneOk = 10 31 {
        /// 0 is no limit.
        channel_max: u16,
        /// In bytes; 0 is no limit.
        frame_max: u32,
        /// In seconds; 0 is none.
        heartbeat: u16,
    }
    Open = 10 40 {
        virtual_host: ShortString,
        capabilities: ShortString,
        insist: bool,
    }
    OpenOk = 10 41 {
        known_hosts: ShortString,
    }
    Close = 10 50 {
        reply_code: u16,
        reply_text: ShortString,
        /// Of the method that failed, or 0.
        class_id: u16,
        /// Of the method that failed, or 0.
        method_id: u16,
    }
    CloseOk = 10 51 {}
    /// To clients with the capability `connection.blocked` only.
    Blocked = 10 60 {
        reason: ShortString,
    }
    /// To clients with the capability `connection.blocked` only.
    Unblocked = 10 61 {}
    UpdateSecret = 10 70 {
        /// A secret.
        new_secret: Bytes,
        reason: ShortString,
    }
    UpdateSecretOk = 10 71 {}
}

impl Close {
    /// A close because of `method`.
    #[must_use]
    pub fn new(code: ReplyCode, text: ShortString, method: MethodId) -> Self {
        Self {
            reply_code: code.number(),
            reply_text: text,
            class_id: method.class,
            method_id: method.method,
        }
    }
}
