//! Where encoded bytes go.

use bytes::{Bytes, BytesMut};
use gantry_connection::Outgoing;

/// What frames are written into.
pub trait Output {
    /// A buffer behind all there is, for encoding in place. Other bytes may be in it: only append.
    fn head(&mut self) -> &mut BytesMut;

    /// Adds `chunk` behind all there is.
    fn push(&mut self, chunk: Bytes);
}

/// A vectored write: long chunks are not copied.
impl Output for Outgoing {
    fn head(&mut self) -> &mut BytesMut {
        self.head()
    }

    fn push(&mut self, chunk: Bytes) {
        self.push(chunk);
    }
}

/// One stretch of bytes: all is copied.
impl Output for BytesMut {
    fn head(&mut self) -> &mut BytesMut {
        self
    }

    fn push(&mut self, chunk: Bytes) {
        self.extend_from_slice(&chunk);
    }
}
