use crate::body::MessageId;

/// A request that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flight {
    /// What pairs it with its answer; new at each attempt.
    pub(crate) correlation: i32,
    /// Its first message.
    pub(crate) first: MessageId,
    /// Its messages.
    pub(crate) count: u32,
    /// Where it goes.
    pub(crate) queue: u32,
    /// The sequence number the broker knows it by, -1 for none.
    pub(crate) numbered: i32,
    /// When the schedule wanted it sent.
    pub(crate) intended_ns: u64,
    /// When it was first sent.
    pub(crate) invoked_ns: u64,
    /// When it was last sent.
    pub(crate) sent_ns: u64,
    /// How often it was sent.
    pub(crate) attempts: u16,
    /// CRC-32 of each body.
    pub(crate) crcs: Vec<u32>,
}

impl Flight {
    /// Its messages' ids, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = MessageId> {
        let first = self.first;
        (0..u64::from(self.count)).map(move |place| MessageId {
            producer: first.producer,
            sequence: first.sequence.wrapping_add(place),
        })
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) correlation: i32,
    pub(crate) verdict: Verdict,
}

/// What an answer says of its request, with the protocol's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is stored, its first message at this offset.
    Stored { offset: i64 },
    /// It was not stored and never will be.
    Refused { code: i32 },
    /// It was not stored; sent again it may be.
    RefusedNow { code: i32 },
    /// The broker expected another number, and stored nothing.
    OutOfSequence { code: i32 },
    /// It may be stored.
    Open { code: i32 },
}
