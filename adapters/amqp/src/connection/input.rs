//! What comes from the client: the protocol header, then frames.

use crate::codec::{self, DecodeError, Frame, FrameMax, Payload, ProtocolHeader};
use bytes::BytesMut;

/// Something that came. Errors among it, so that what came before is done first.
#[derive(Debug)]
pub enum Item {
    /// The first eight bytes.
    Header(ProtocolHeader),
    /// One frame.
    Frame(Frame),
    /// Bytes that are none.
    Broken(DecodeError),
}

/// Where in it the connection is.
#[derive(Debug)]
pub(super) struct Input {
    state: State,
    /// What the client may be told to send at most.
    offered: FrameMax,
}

#[derive(Debug)]
enum State {
    Header,
    Frames,
    /// The client has agreed on a longer frame, which nobody knows yet.
    Tuned,
    /// Nothing is read any more.
    Deaf,
}

impl Input {
    pub(super) const fn new(offered: FrameMax) -> Self {
        Self {
            state: State::Header,
            offered,
        }
    }

    /// Takes the next item off the front of `buffer`, of which a frame may be as long as `limit`.
    pub(super) fn next(&mut self, buffer: &mut BytesMut, limit: FrameMax) -> Option<Item> {
        let limit = match self.state {
            State::Header => {
                let header = ProtocolHeader::read(buffer)?;
                let may_go_on = header.refusal().is_none();
                self.state = if may_go_on {
                    State::Frames
                } else {
                    State::Deaf
                };
                return Some(Item::Header(header));
            }
            State::Deaf => {
                buffer.clear();
                return None;
            }
            State::Frames => limit,
            State::Tuned => self.offered,
        };
        match codec::decode(buffer, limit) {
            Ok(Some(frame)) => {
                if is_tune_ok(&frame) {
                    self.state = State::Tuned;
                }
                Some(Item::Frame(frame))
            }
            Ok(None) => None,
            Err(error) => {
                if error.ends_input() {
                    self.state = State::Deaf;
                    buffer.clear();
                }
                Some(Item::Broken(error))
            }
        }
    }

    /// Everything so far is done, so that what was agreed on is known.
    pub(super) fn catch_up(&mut self) {
        if matches!(self.state, State::Tuned) {
            self.state = State::Frames;
        }
    }
}

fn is_tune_ok(frame: &Frame) -> bool {
    const CLASS_AND_METHOD: [u8; 4] = [0, 10, 0, 31];
    matches!(&frame.payload, Payload::Method(payload) if payload.starts_with(&CLASS_AND_METHOD))
}
