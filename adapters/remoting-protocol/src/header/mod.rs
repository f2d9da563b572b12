//! Typed views of the extension fields: what each request needs and each answer says.
//!
//! A view borrows the frame's text. It reads what a peer sent and writes the same, so that tests
//! and a client side can build it.

mod client;
mod name_server;
mod offset;
mod pop;
mod pull;
mod registration;
mod reply;
mod send;
mod topic;
mod transaction;

pub use client::{
    GroupRequest, HeartbeatResponse, RecallMessage, RecallResponse, SendMessageBack,
    UnregisterClient,
};
pub use name_server::{
    BrokerRequest, ClusterRequest, KvEntry, KvKey, KvNamespace, KvValue, RemoveTopic,
};
pub use offset::{
    OffsetResponse, QueryConsumerOffset, QueueRequest, SearchOffset, TimestampResponse,
    UpdateConsumerOffset, ViewMessage,
};
pub use pop::{
    ChangeInvisibleResponse, NotificationRequest, NotificationResponse, PeekRequest,
    PollingInfoResponse, PopRequest, PopResponse, ReceiptRequest,
};
pub use pull::{PullRequest, PullResponse, PullSysFlag};
pub use registration::{
    BrokerHeartbeat, BrokerIdentity, DataVersionChanged, MemberGroupRequest, MinBrokerId,
    PermissionsAdded, PermissionsWiped, RegisterBroker, Registered,
};
pub use reply::PushReply;
pub use send::{SendRequest, SendResponse};
pub use topic::{CreateTopic, RouteRequest, TopicRequest};
pub use transaction::{CheckTransaction, EndTransaction, ResumeCheck};

use crate::codec::{
    Answer, Command, FRAME_BYTES_MAX, FieldError, FieldWriter, Fields, Text, decode,
};
use bytes::BytesMut;

/// A header that can be read from a request's or an answer's fields.
pub trait RequestHeader<'a>: Sized {
    /// Reads the header. Unknown fields are ignored.
    ///
    /// # Errors
    /// A required field is missing or ill-typed.
    fn read(fields: &'a Fields) -> Result<Self, FieldError>;
}

/// Reads `data` as frames and the fields of each as headers; must never panic, and a header that
/// is read must survive being written.
pub fn fuzz_headers(data: &[u8]) {
    macro_rules! survive {
        ($command:ident: $($header:ty),+) => {
            $(if let Ok(header) = $command.header::<$header>() {
                let mut out = BytesMut::new();
                let answer = Answer::OK.with_fields(&header);
                $command.reply_to().answer(&answer, &mut out);
                let again = decode(&mut out, usize::MAX);
                let again = again.as_ref().map(|again| again.as_ref().map(Command::header));
                assert_eq!(again, Ok(Some(Ok(header))));
            })+
        };
    }
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(command)) = decode(&mut buffer, FRAME_BYTES_MAX) {
        // The long names have no writer: no server sends them.
        drop(SendRequest::long(&command.fields));
        survive!(command: SendRequest<'_>, PullRequest<'_>, PullResponse, UnregisterClient<'_>,
            QueryConsumerOffset<'_>, UpdateConsumerOffset<'_>, CreateTopic<'_>, RouteRequest<'_>,
            RegisterBroker<'_>, BrokerIdentity<'_>, BrokerHeartbeat<'_>,
            EndTransaction<'_>, CheckTransaction<'_>, ResumeCheck<'_>,
            PopRequest<'_>, ReceiptRequest<'_>, NotificationRequest<'_>);
    }
}

/// A type that is written as a field; an `Option` that is `None` is left out.
pub(crate) trait WriteValue {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>);
}

impl WriteValue for &str {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        out.text(name, self);
    }
}

impl WriteValue for Text {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        out.text(name, self);
    }
}

impl WriteValue for i32 {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        out.int(name, *self);
    }
}

impl WriteValue for i64 {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        out.int(name, *self);
    }
}

impl WriteValue for bool {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        out.bool(name, *self);
    }
}

impl<T: WriteValue> WriteValue for Option<T> {
    fn write_value(&self, name: &'static str, out: &mut FieldWriter<'_>) {
        if let Some(value) = self {
            value.write_value(name, out);
        }
    }
}

/// A struct, its reader and its writer from one table: `field: type = "name on the wire"`, with
/// `or value` for a field the peer may leave out.
macro_rules! header {
    (@read $fields:ident $type:ty, $wire:literal) => {
        $fields.value::<$type>($wire)?
    };
    (@read $fields:ident $type:ty, $wire:literal, $default:expr) => {
        $fields.value::<Option<$type>>($wire)?.unwrap_or($default)
    };
    (@impls [$($generics:tt)*] $lifetime:lifetime, $self_type:ty,
        $($field:ident $type:ty, $wire:literal $(, $default:expr)?;)+
    ) => {
        impl $($generics)* $crate::header::RequestHeader<$lifetime> for $self_type {
            fn read(
                fields: &$lifetime $crate::codec::Fields,
            ) -> Result<Self, $crate::codec::FieldError> {
                Ok(Self {
                    $($field: header!(@read fields $type, $wire $(, $default)?),)+
                })
            }
        }

        impl $($generics)* $crate::codec::WriteFields for $self_type {
            fn write_fields(&self, out: &mut $crate::codec::FieldWriter<'_>) {
                $($crate::header::WriteValue::write_value(&self.$field, $wire, out);)+
            }
        }
    };
    (
        $(#[$doc:meta])*
        $name:ident<$lifetime:lifetime> {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $wire:literal $(or $default:expr)?,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name<$lifetime> { $($(#[$field_doc])* pub $field: $type,)+ }

        header!(@impls [<$lifetime>] $lifetime, $name<$lifetime>,
            $($field $type, $wire $(, $default)?;)+);
    };
    (
        $(#[$doc:meta])*
        $name:ident {
            $($(#[$field_doc:meta])* $field:ident: $type:ty = $wire:literal $(or $default:expr)?,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)+ }

        header!(@impls [<'fields>] 'fields, $name,
            $($field $type, $wire $(, $default)?;)+);
    };
}
use header;

#[cfg(test)]
mod tests;
