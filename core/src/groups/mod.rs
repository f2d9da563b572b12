//! Who consumes together: members, their subscriptions and what they lock.
//!
//! State machines only. They take an input and the time, and return what to tell whom; nothing
//! here opens a socket, waits, or knows a wire code.

pub mod classic;
pub mod locks;
pub mod registry;
pub mod subscription;
