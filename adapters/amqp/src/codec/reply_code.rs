//! Reply codes, what RabbitMQ calls them and what they end.

use super::ShortString;
use std::fmt;

/// What an error ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One channel: `channel.close`.
    Channel,
    /// All of it: `connection.close`.
    Connection,
}

macro_rules! reply_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $scope:ident;)*) => {
        /// A reply code of AMQP 0-9-1 (section 1.2 of the specification's definitions).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum ReplyCode {
            $($(#[$doc])* $variant = $code,)*
        }

        impl ReplyCode {
            /// The number on the wire.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The code's name, with which every reply text begins.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the code ends, once the connection is open. Before that, everything ends it.
            #[must_use]
            pub const fn scope(self) -> Scope {
                match self {
                    $(Self::$variant => Scope::$scope,)*
                }
            }
        }
    };
}

reply_codes! {
    /// A close without an error.
    Success = 200, "OK", Connection;
    /// Reserved.
    ContentTooLarge = 311, "CONTENT_TOO_LARGE", Channel;
    /// A mandatory message went into no queue.
    NoRoute = 312, "NO_ROUTE", Channel;
    /// An immediate message found no consumer.
    NoConsumers = 313, "NO_CONSUMERS", Channel;
    /// The server ends the connection for a reason of its own.
    ConnectionForced = 320, "CONNECTION_FORCED", Connection;
    /// Unused: RabbitMQ answers 530.
    InvalidPath = 402, "INVALID_PATH", Connection;
    /// Not permitted; during the handshake, not authenticated.
    AccessRefused = 403, "ACCESS_REFUSED", Channel;
    /// No such queue or exchange.
    NotFound = 404, "NOT_FOUND", Channel;
    /// Another connection's exclusive queue.
    ResourceLocked = 405, "RESOURCE_LOCKED", Channel;
    /// Arguments differ from what is there, an unknown delivery tag, and so on.
    PreconditionFailed = 406, "PRECONDITION_FAILED", Channel;
    /// Bytes that are no frame, or no arguments of their method.
    FrameError = 501, "FRAME_ERROR", Connection;
    /// A table or properties that cannot be decoded.
    SyntaxError = 502, "SYNTAX_ERROR", Connection;
    /// A method that nobody may send here.
    CommandInvalid = 503, "COMMAND_INVALID", Connection;
    /// A channel in the wrong state for the method.
    ChannelError = 504, "CHANNEL_ERROR", Connection;
    /// A frame out of order.
    UnexpectedFrame = 505, "UNEXPECTED_FRAME", Connection;
    /// Out of a resource.
    ResourceError = 506, "RESOURCE_ERROR", Connection;
    /// A limit, a virtual host, a consumer tag in use.
    NotAllowed = 530, "NOT_ALLOWED", Connection;
    /// Something RabbitMQ does not do either.
    NotImplemented = 540, "NOT_IMPLEMENTED", Connection;
    /// A mistake of ours.
    InternalError = 541, "INTERNAL_ERROR", Connection;
}

impl ReplyCode {
    /// `NAME - explanation`, as clients parse it, cut at 255 bytes. Of an error of ours nothing
    /// but the name is told.
    #[must_use]
    pub fn text(self, explanation: impl fmt::Display) -> ShortString {
        match self {
            Self::InternalError => ShortString::from_static(self.name()),
            _ => ShortString::cut(&format!("{} - {explanation}", self.name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_rabbitmqs_and_fit() {
        let text = ReplyCode::NotFound.text("no queue 'q' in vhost '/'");
        assert_eq!(text.as_str(), "NOT_FOUND - no queue 'q' in vhost '/'");
        let text = ReplyCode::InternalError.text("secret");
        assert_eq!(text.as_str(), "INTERNAL_ERROR");
        let text = ReplyCode::FrameError.text("ä".repeat(300));
        assert_eq!(text.as_str().len(), 254, "14 and 120 of two bytes");
    }
}
