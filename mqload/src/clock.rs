//! The one clock of a process, for all its ledgers.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::sync::OnceLock;
use std::time::Duration;

const NANOS: u64 = 1_000_000_000;

/// Nanoseconds since 1970 that never go back while this process lives, whatever is done to the
/// machine's time: the monotonic clock, set right once.
#[must_use]
pub fn now() -> u64 {
    id().saturating_add(nanos(clock_gettime(ClockId::Monotonic)))
}

/// What tells this process's clock from another's. Times of two clocks have no order.
#[must_use]
pub fn id() -> u64 {
    static AHEAD: OnceLock<u64> = OnceLock::new();
    *AHEAD.get_or_init(|| {
        let real = nanos(clock_gettime(ClockId::Realtime));
        real.saturating_sub(nanos(clock_gettime(ClockId::Monotonic)))
    })
}

/// Processor time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    Duration::from_nanos(nanos(clock_gettime(ClockId::ThreadCPUTime)))
}

/// `time` as Kafka and RocketMQ put it.
pub(crate) fn millis(time: u64) -> i64 {
    i64::try_from(time / 1_000_000).unwrap_or(i64::MAX)
}

/// `duration` in nanoseconds.
pub(crate) fn length(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(NANOS).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::now;

    #[test]
    fn time_does_not_go_back() {
        let first = now();
        assert!(now() >= first);
        assert!(first > 1_600_000_000_000_000_000, "it is since 1970");
    }
}
