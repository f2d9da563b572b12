//! When the next request is due, and how to wait for it.

use super::LoadConfig;
use crate::clock;
use anyhow::Result;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::cell::Cell;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

const NANOS: u128 = 1_000_000_000;

/// One producer's schedule: request `n` at `start + n * step`, whatever became of those before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start_ns: u64,
    /// Messages of one request of each producer: all of them take `rate` a second.
    round: u128,
    rate: u128,
}

impl Schedule {
    /// Producers start apart, so that they do not all send at once.
    pub(super) fn new(config: &LoadConfig, place: u32, start_ns: u64) -> Self {
        let round = u128::from(config.batch).saturating_mul(u128::from(config.producers));
        let mut schedule = Self {
            start_ns,
            round,
            rate: u128::from(config.rate),
        };
        let step = schedule.due_ns(1).map_or(0, |due| due - start_ns);
        let apart = u128::from(step) * u128::from(place) / u128::from(config.producers.max(1));
        schedule.start_ns += u64::try_from(apart).unwrap_or(0);
        schedule
    }

    /// When request `n` is due; `None` when there is no schedule.
    pub(super) fn due_ns(&self, n: u64) -> Option<u64> {
        if self.rate == 0 {
            return None;
        }
        let after = u128::from(n)
            .saturating_mul(self.round)
            .saturating_mul(NANOS)
            / self.rate;
        Some(
            self.start_ns
                .saturating_add(u64::try_from(after).unwrap_or(u64::MAX)),
        )
    }
}

/// A timer of the kernel's: tokio's has steps of a millisecond, and the kernel adds slack to a
/// sleep but not to this.
#[derive(Debug)]
pub(super) struct Timer {
    timer: AsyncFd<OwnedFd>,
    set_for_ns: Cell<u64>,
}

impl Timer {
    /// Of the runtime it is made in.
    pub(super) fn new() -> Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        #[expect(
            deprecated,
            reason = "unsound only for types that close or change their descriptor; the \
                      successor is unsafe"
        )]
        let timer = AsyncFd::new(timer)?;
        Ok(Self {
            timer,
            set_for_ns: Cell::new(0),
        })
    }

    /// Returns at `due_ns` or soon after. It may be dropped and asked again.
    pub(super) async fn wait_until(&self, due_ns: u64) {
        loop {
            let left = due_ns.saturating_sub(clock::now());
            if left == 0 || self.set(due_ns, left).is_err() {
                return;
            }
            match self.timer.readable().await {
                Ok(mut ready) => {
                    let mut count = [0; 8];
                    let _ = rustix::io::read(ready.get_inner(), &mut count);
                    ready.clear_ready();
                    self.set_for_ns.set(0);
                }
                Err(_) => return,
            }
        }
    }

    fn set(&self, due_ns: u64, left: u64) -> Result<()> {
        if self.set_for_ns.replace(due_ns) == due_ns {
            return Ok(());
        }
        let nanos = u128::from(left);
        let time = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: Timespec {
                tv_sec: i64::try_from(nanos / NANOS)?,
                tv_nsec: i64::try_from(nanos % NANOS)?,
            },
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &time)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Protocol;
    use crate::target::Target;

    #[test]
    fn producers_share_the_rate_and_start_apart() {
        let target = Target {
            protocol: Protocol::Kafka,
            address: String::new(),
            topic: String::new(),
            queues: 1,
        };
        let mut config = LoadConfig::new(target);
        config.producers = 2;
        config.batch = 10;
        assert_eq!(Schedule::new(&config, 0, 5).due_ns(7), None);
        // 100 requests a second, 50 of each.
        config.rate = 1_000;
        let [one, other] = [0, 1].map(|place| Schedule::new(&config, place, 5));
        assert_eq!(one.due_ns(0), Some(5));
        assert_eq!(one.due_ns(1), Some(20_000_005));
        assert_eq!(one.due_ns(50 * 3_600), Some(3_600_000_000_005));
        assert_eq!(other.due_ns(0), Some(10_000_005));
    }

    #[test]
    fn the_timer_does_not_wake_early_and_may_be_asked_again() {
        let runtime = crate::alone().unwrap();
        runtime.block_on(async {
            let timer = Timer::new().unwrap();
            for length in [0, 1, 100_000, 2_000_000] {
                let due = clock::now() + length;
                tokio::select! {
                    biased;
                    () = timer.wait_until(due + 1_000_000_000) => {}
                    () = std::future::ready(()) => {}
                }
                timer.wait_until(due).await;
                assert!(clock::now() >= due);
            }
        });
    }
}
