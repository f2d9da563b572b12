//! What goes wrong, and at which call.

use std::collections::BTreeMap;
use std::io;

/// A call of the file system, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    missing_docs,
    reason = "they are named as the methods of `Vfs` and `VfsFile` are"
)]
pub enum Call {
    CreateDirectories,
    List,
    Create,
    Open,
    Content,
    Rename,
    Remove,
    SyncDirectory,
    Space,
    Lock,
    Length,
    Read,
    Write,
    Sync,
    Allocate,
    Zero,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// There is no room; nothing is done.
    NoSpace,
    /// An input or output error; nothing is done.
    Failed,
    /// Of a write, a first part is done before the error; of another call nothing.
    Partial,
    /// A sync fails and forgets what was dirty: a later one has nothing to write, and succeeds.
    /// Another call just fails.
    Forgetful,
    /// The power goes while the call is on its way: it may be done or not.
    PowerCut,
}

/// One planned fault.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The kind of call; `None` is any.
    pub call: Option<Call>,
    /// How many such calls pass before it; 0 is the next one.
    pub after: u64,
    /// What happens.
    pub effect: Effect,
}

/// Faults to come, and the calls there were.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) faults: Vec<Fault>,
    pub(super) counts: BTreeMap<Call, u64>,
}

impl Plan {
    /// Counts a call and tells what happens to it.
    pub(super) fn meet(&mut self, call: Call) -> Option<Effect> {
        *self.counts.entry(call).or_default() += 1;
        let mut met = None;
        self.faults.retain_mut(|fault| {
            if fault.call.is_some_and(|wanted| wanted != call) {
                return true;
            }
            if fault.after > 0 {
                fault.after -= 1;
                return true;
            }
            met = met.or(Some(fault.effect));
            false
        });
        met
    }
}

impl Effect {
    /// The error its caller sees.
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::ErrorKind::StorageFull.into(),
            Self::PowerCut => power_is_off(),
            Self::Failed | Self::Partial | Self::Forgetful => {
                io::Error::from_raw_os_error(libc::EIO)
            }
        }
    }
}

/// What every call fails with once the power is off.
pub(super) fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}
