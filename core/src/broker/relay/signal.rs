//! Wakes a relay's thread.

use crate::model::Timestamp;
use parking_lot::{Condvar, Mutex};
use std::time::Duration;

/// The wall clock may be set; so long a relay may be late then.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What a relay's thread waits for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    asked: Mutex<Asked>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Asked {
    is_woken: bool,
    is_stopped: bool,
    /// Until when it sleeps, if it does and knows.
    until: Option<Timestamp>,
}

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pause {
    None,
    /// So many milliseconds, until then.
    Millis(u64, Timestamp),
    UntilWoken,
}

impl Signal {
    /// There is something new to look at.
    pub(crate) fn wake(&self) {
        let mut asked = self.asked.lock();
        if !asked.is_woken {
            asked.is_woken = true;
            self.wake.notify_one();
        }
    }

    /// There is something new that is due then: a thread that looks before then is left alone, as
    /// waking it costs more than most messages do.
    pub(crate) fn wake_for(&self, due: Timestamp) {
        let until = self.asked.lock().until;
        if until.is_none_or(|until| due < until) {
            self.wake();
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.asked.lock().is_stopped = true;
        self.wake.notify_one();
    }

    /// Waits, not longer than `pause`; `false` when it was stopped.
    pub(crate) fn pause(&self, pause: Pause) -> bool {
        let mut asked = self.asked.lock();
        if !asked.is_woken && !asked.is_stopped {
            match pause {
                Pause::None => {}
                Pause::Millis(millis, until) => {
                    let time = Duration::from_millis(millis).min(PAUSE_MAX);
                    asked.until = Some(until);
                    self.wake.wait_for(&mut asked, time);
                    asked.until = None;
                }
                Pause::UntilWoken => self.wake.wait(&mut asked),
            }
        }
        asked.is_woken = false;
        !asked.is_stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sleeps_is_woken_only_for_what_is_due_before() {
        let at = Timestamp::from_millis;
        let signal = Signal::default();
        signal.asked.lock().until = Some(at(10));
        signal.wake_for(at(10));
        assert!(!signal.asked.lock().is_woken, "it looks in time");
        signal.wake_for(at(9));
        assert!(signal.asked.lock().is_woken);
    }

    #[test]
    fn who_is_awake_looks_once_more() {
        let signal = Signal::default();
        signal.wake_for(Timestamp::from_millis(10));
        assert!(signal.pause(Pause::UntilWoken), "it does not wait");
    }
}
