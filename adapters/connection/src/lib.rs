//! Drives one byte stream for any protocol: reads what is there, decodes every whole frame, has
//! them handled in order and writes all that is answered with as few vectored writes as possible.
//!
//! It knows no protocol and no broker, binds no port and spawns no task: one connection is one
//! future, [`run`], on the thread that polls it.

mod closed;
mod connections;
mod driver;
mod input;
mod limits;
mod outgoing;
mod protocol;
mod replies;
mod shutdown;

pub use closed::Closed;
pub use connections::{Connections, Permit};
pub use driver::run;
pub use limits::Limits;
pub use outgoing::Outgoing;
pub use protocol::{Protocol, ReplyOrder};
pub use replies::Replies;
pub use shutdown::Shutdown;
