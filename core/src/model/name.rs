//! Names, parsed once and valid from then on. No path is ever built from one.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest name in bytes: AMQP's short string.
const NAME_BYTES_MAX: usize = 255;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("the name is empty")]
    Empty,
    /// More than 255 bytes.
    #[error("the name has {0} bytes, more than 255")]
    TooLong(usize),
    /// A control character, which RocketMQ's text properties and every log line would trip over.
    #[error("the name has a control character")]
    ControlCharacter,
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong(name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Parses any UTF-8 name of 1 to 255 bytes without control characters.
            ///
            /// # Errors
            /// What is wrong with `name`.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check(name).map(|()| Self(name.into()))
            }

            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

name! {
    /// A topic's name: any UTF-8 of 1 to 255 bytes without control characters. Dots are legal.
    TopicName
}

name! {
    /// A consumer group's name, by the rule of [`TopicName`].
    GroupName
}

impl TopicName {
    /// Whether the topic is the broker's own or a group's private one, and so is not shown to
    /// other protocols: RocketMQ's `%RETRY%`, `%DLQ%`, `%LMQ%` and `rmq_sys_` families.
    #[must_use]
    pub fn is_system(&self) -> bool {
        super::property::SYSTEM_TOPIC_PREFIXES
            .iter()
            .any(|prefix| self.0.starts_with(prefix))
            || super::property::SYSTEM_TOPICS.contains(&&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_any_text_of_255_bytes_without_controls() {
        assert!(TopicName::new("orders.eu-1_ü%|").is_ok());
        assert!(
            TopicName::new("../x").is_ok(),
            "no path is built from a name"
        );
        assert_eq!(TopicName::new(""), Err(NameError::Empty));
        assert_eq!(
            TopicName::new(&"a".repeat(256)),
            Err(NameError::TooLong(256))
        );
        assert_eq!(TopicName::new("a\0b"), Err(NameError::ControlCharacter));
    }
}
