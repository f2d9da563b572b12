//! Which methods come from which side.

use super::{Method, access, basic, channel, confirm, connection, exchange, queue, tx};
use crate::codec::arguments::{Fault, Reader};
use crate::codec::error::Octets;
use crate::codec::{DecodeError, MethodId, write};
use bytes::{Bytes, BytesMut};

/// Bytes of class and method before the arguments.
const ID_BYTES: usize = 4;

macro_rules! direction {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $class:ident::$method:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $name {
            $($variant($class::$method),)*
        }

        impl $name {
            /// Reads the payload of a method frame; strings and tables share its bytes.
            ///
            /// # Errors
            /// 503 for a method that this side does not send, 501 for arguments cut short or with
            /// octets left over, 502 for a table that is none.
            pub fn decode(payload: &Bytes) -> Result<Self, DecodeError> {
                match id(payload)? {
                    $(<$class::$method as Method>::ID => {
                        arguments(payload).map(Self::$variant)
                    })*
                    unknown => Err(DecodeError::Unimplemented(unknown)),
                }
            }

            /// Its class and method.
            #[must_use]
            pub const fn id(&self) -> MethodId {
                match self {
                    $(Self::$variant(_) => <$class::$method as Method>::ID,)*
                }
            }

            /// Writes its frame. Content, where the method has any, is not part of it: see
            /// [`write_content`](crate::codec::write_content).
            pub fn encode(&self, channel: u16, out: &mut BytesMut) {
                match self {
                    $(Self::$variant(method) => write::method_frame(channel, method, out),)*
                }
            }

            #[cfg(test)]
            pub(in crate::codec) const IDS: &[MethodId] =
                &[$(<$class::$method as Method>::ID,)*];
        }

        $(impl From<$class::$method> for $name {
            fn from(method: $class::$method) -> Self {
                Self::$variant(method)
            }
        })*
    };
}

direction! {
    /// What clients send.
    ClientMethod {
        ConnectionStartOk = connection::StartOk,
        ConnectionSecureOk = connection::SecureOk,
        ConnectionTuneOk = connection::TuneOk,
        ConnectionOpen = connection::Open,
        ConnectionClose = connection::Close,
        ConnectionCloseOk = connection::CloseOk,
        ConnectionUpdateSecret = connection::UpdateSecret,
        ChannelOpen = channel::Open,
        ChannelFlow = channel::Flow,
        ChannelFlowOk = channel::FlowOk,
        ChannelClose = channel::Close,
        ChannelCloseOk = channel::CloseOk,
        AccessRequest = access::Request,
        ExchangeDeclare = exchange::Declare,
        ExchangeDelete = exchange::Delete,
        ExchangeBind = exchange::Bind,
        ExchangeUnbind = exchange::Unbind,
        QueueDeclare = queue::Declare,
        QueueBind = queue::Bind,
        QueuePurge = queue::Purge,
        QueueDelete = queue::Delete,
        QueueUnbind = queue::Unbind,
        BasicQos = basic::Qos,
        BasicConsume = basic::Consume,
        BasicCancel = basic::Cancel,
        BasicCancelOk = basic::CancelOk,
        BasicPublish = basic::Publish,
        BasicGet = basic::Get,
        BasicAck = basic::Ack,
        BasicReject = basic::Reject,
        BasicRecoverAsync = basic::RecoverAsync,
        BasicRecover = basic::Recover,
        BasicNack = basic::Nack,
        ConfirmSelect = confirm::Select,
        TxSelect = tx::Select,
        TxCommit = tx::Commit,
        TxRollback = tx::Rollback,
    }
}

direction! {
    /// What servers send.
    ServerMethod {
        ConnectionStart = connection::Start,
        ConnectionSecure = connection::Secure,
        ConnectionTune = connection::Tune,
        ConnectionOpenOk = connection::OpenOk,
        ConnectionClose = connection::Close,
        ConnectionCloseOk = connection::CloseOk,
        ConnectionBlocked = connection::Blocked,
        ConnectionUnblocked = connection::Unblocked,
        ConnectionUpdateSecretOk = connection::UpdateSecretOk,
        ChannelOpenOk = channel::OpenOk,
        ChannelFlow = channel::Flow,
        ChannelFlowOk = channel::FlowOk,
        ChannelClose = channel::Close,
        ChannelCloseOk = channel::CloseOk,
        AccessRequestOk = access::RequestOk,
        ExchangeDeclareOk = exchange::DeclareOk,
        ExchangeDeleteOk = exchange::DeleteOk,
        ExchangeBindOk = exchange::BindOk,
        ExchangeUnbindOk = exchange::UnbindOk,
        QueueDeclareOk = queue::DeclareOk,
        QueueBindOk = queue::BindOk,
        QueuePurgeOk = queue::PurgeOk,
        QueueDeleteOk = queue::DeleteOk,
        QueueUnbindOk = queue::UnbindOk,
        BasicQosOk = basic::QosOk,
        BasicConsumeOk = basic::ConsumeOk,
        BasicCancel = basic::Cancel,
        BasicCancelOk = basic::CancelOk,
        BasicReturn = basic::Return,
        BasicDeliver = basic::Deliver,
        BasicGetOk = basic::GetOk,
        BasicGetEmpty = basic::GetEmpty,
        BasicAck = basic::Ack,
        BasicRecoverOk = basic::RecoverOk,
        BasicNack = basic::Nack,
        ConfirmSelectOk = confirm::SelectOk,
        TxSelectOk = tx::SelectOk,
        TxCommitOk = tx::CommitOk,
        TxRollbackOk = tx::RollbackOk,
    }
}

impl basic::Publish {
    /// [`ClientMethod::decode`] of the method that comes most, if it is that.
    #[inline]
    pub(in crate::codec) fn decode(payload: &Bytes) -> Option<Result<Self, DecodeError>> {
        (id(payload) == Ok(Self::ID)).then(|| arguments(payload))
    }
}

fn id(payload: &[u8]) -> Result<MethodId, DecodeError> {
    match payload {
        &[class_high, class_low, method_high, method_low, ..] => Ok(MethodId {
            class: u16::from_be_bytes([class_high, class_low]),
            method: u16::from_be_bytes([method_high, method_low]),
        }),
        _ => Err(DecodeError::UnknownFrame {
            kind: crate::codec::frame::METHOD,
            octets: Octets::of(payload),
        }),
    }
}

fn arguments<M: Method>(payload: &Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(payload, ID_BYTES);
    match M::read(&mut reader) {
        Ok(method) if reader.is_at_end() => Ok(method),
        Ok(_) | Err(Fault::Short) => Err(DecodeError::Arguments {
            method: M::ID,
            octets: Octets::of(payload.get(ID_BYTES..).unwrap_or_default()),
        }),
        Err(Fault::NotUtf8) => Err(DecodeError::NotUtf8),
        Err(Fault::Table(fault)) => Err(DecodeError::Table {
            method: M::ID,
            fault,
        }),
    }
}
