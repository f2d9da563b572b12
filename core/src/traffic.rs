//! Counters that remember: how much there was in the last minute, hour and day.
//!
//! Nothing runs in the background. Whoever counts notes, once a period, where the counter stood;
//! what is idle costs nothing, and what nobody counts takes no memory for the past.

use crate::model::Timestamp;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The finest period, in milliseconds.
const PERIOD_MS: i64 = 10_000;
/// Each length of period that is remembered, in milliseconds, and how many of them.
const RINGS: [(i64, usize); 5] = [
    (PERIOD_MS, 7),
    (60_000, 11),
    (600_000, 7),
    (3_600_000, 25),
    (DAY_MS, 2),
];
/// A day, which begins at midnight UTC.
const DAY_MS: i64 = 86_400_000;

/// How much there was of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How often they came, several at a time or one.
    pub times: u64,
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            messages: self.messages.wrapping_add(other.messages),
            bytes: self.bytes.wrapping_add(other.bytes),
            times: self.times.wrapping_add(other.times),
        }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            messages: self.messages.saturating_sub(earlier.messages),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            times: self.times.saturating_sub(earlier.times),
        }
    }
}

/// A stretch of time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// At least 10 seconds, at most 20.
    TenSeconds,
    /// At least a minute, at most ten seconds more.
    Minute,
    /// At least ten minutes, at most one more.
    TenMinutes,
    /// At least an hour, at most ten minutes more.
    Hour,
    /// At least a day, at most an hour more.
    Day,
    /// Since midnight UTC.
    Today,
    /// Since the midnight before that.
    SinceYesterday,
}

impl Span {
    /// The ring that knows it, its period, and how many whole periods it takes.
    const fn ring(self) -> (usize, i64, i64) {
        match self {
            Self::TenSeconds => (0, PERIOD_MS, 1),
            Self::Minute => (0, PERIOD_MS, 6),
            Self::TenMinutes => (1, 60_000, 10),
            Self::Hour => (2, 600_000, 6),
            Self::Day => (3, 3_600_000, 24),
            Self::Today => (4, DAY_MS, 0),
            Self::SinceYesterday => (4, DAY_MS, 1),
        }
    }
}

/// What there was in a span, and how long that was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How much.
    pub amount: Amount,
    /// The span's length in milliseconds, less when counting began within it; at least a second.
    pub millis: u64,
}

impl Passed {
    /// Messages a second.
    #[must_use]
    pub fn messages_a_second(&self) -> f64 {
        per_second(self.amount.messages, self.millis)
    }

    /// Bytes a second.
    #[must_use]
    pub fn bytes_a_second(&self) -> f64 {
        per_second(self.amount.bytes, self.millis)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is a figure for people, exact to 53 bits"
)]
fn per_second(count: u64, millis: u64) -> f64 {
    count as f64 * 1000.0 / millis.max(1) as f64
}

/// Where a counter stood when a period began in which it moved.
#[derive(Clone, Copy, Debug)]
struct Sample {
    period: i64,
    before: Amount,
}

/// What the past is made of.
#[derive(Debug)]
struct History {
    began_at: i64,
    rings: [VecDeque<Sample>; RINGS.len()],
}

/// A counter of messages, bytes and times.
#[derive(Debug)]
pub struct Traffic {
    messages: AtomicU64,
    bytes: AtomicU64,
    times: AtomicU64,
    /// The period of the last count; before the first, one that never is.
    period: AtomicI64,
    history: Mutex<Option<Box<History>>>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            messages: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            times: AtomicU64::new(0),
            period: AtomicI64::new(i64::MIN),
            history: Mutex::default(),
        }
    }
}

impl Traffic {
    /// Counts what came at `now`: three additions, but once in ten seconds a look at the past.
    pub fn count(&self, amount: Amount, now: Timestamp) {
        let period = now.millis().div_euclid(PERIOD_MS);
        if self.period.load(Ordering::Relaxed) < period {
            self.begin_period(period, now);
        }
        self.messages.fetch_add(amount.messages, Ordering::Relaxed);
        self.bytes.fetch_add(amount.bytes, Ordering::Relaxed);
        self.times.fetch_add(amount.times, Ordering::Relaxed);
    }

    /// Everything ever counted.
    #[must_use]
    pub fn total(&self) -> Amount {
        Amount {
            messages: self.messages.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            times: self.times.load(Ordering::Relaxed),
        }
    }

    /// What was counted within `span` before `now`.
    #[must_use]
    pub fn within(&self, span: Span, now: Timestamp) -> Passed {
        let history = self.history.lock();
        let Some(history) = history.as_deref() else {
            return Passed {
                amount: Amount::default(),
                millis: 1000,
            };
        };
        let (ring, length, periods) = span.ring();
        let first = now.millis().div_euclid(length).saturating_sub(periods);
        let total = self.total();
        let samples = history.rings.get(ring).into_iter().flatten();
        let mut samples = samples.skip_while(|sample| sample.period < first);
        let before = samples.next().map_or(total, |sample| sample.before);
        let from = first.saturating_mul(length).max(history.began_at);
        Passed {
            amount: total - before,
            millis: now.millis_since(Timestamp::from_millis(from)).max(1000),
        }
    }

    /// When something was counted last, to within ten seconds; `None` for never.
    #[must_use]
    pub fn counted_at(&self) -> Option<Timestamp> {
        let period = self.period.load(Ordering::Relaxed);
        (period > i64::MIN).then(|| Timestamp::from_millis(period.saturating_mul(PERIOD_MS)))
    }

    #[cold]
    fn begin_period(&self, period: i64, now: Timestamp) {
        let mut history = self.history.lock();
        if self.period.load(Ordering::Relaxed) >= period {
            return;
        }
        let history = history.get_or_insert_with(|| {
            Box::new(History {
                began_at: now.millis(),
                rings: Default::default(),
            })
        });
        let before = self.total();
        for (ring, (length, kept)) in history.rings.iter_mut().zip(RINGS) {
            let period = now.millis().div_euclid(length);
            if ring.back().is_none_or(|last| last.period < period) {
                if ring.len() >= kept {
                    ring.pop_front();
                }
                ring.push_back(Sample { period, before });
            }
        }
        self.period.store(period, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A midnight.
    const START: i64 = 20_000 * DAY_MS;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(START + seconds * 1000)
    }

    fn count(traffic: &Traffic, messages: u64, seconds: i64) {
        let amount = Amount {
            messages,
            bytes: messages * 10,
            times: 1,
        };
        traffic.count(amount, at(seconds));
    }

    fn messages(traffic: &Traffic, span: Span, seconds: i64) -> u64 {
        traffic.within(span, at(seconds)).amount.messages
    }

    #[test]
    fn each_span_has_what_came_in_it_and_no_more() {
        let traffic = Traffic::default();
        let mut second = 0;
        // One message every five seconds for two days.
        while second < 2 * 86_400 {
            count(&traffic, 1, second);
            second += 5;
        }
        let end = second;
        let spans = [
            (Span::TenSeconds, 10, 20),
            (Span::Minute, 60, 70),
            (Span::TenMinutes, 600, 660),
            (Span::Hour, 3600, 4200),
            (Span::Day, 86_400, 90_000),
            (Span::Today, 0, 0),
            (Span::SinceYesterday, 86_400, 86_400),
        ];
        for (span, least, most) in spans {
            let passed = traffic.within(span, at(end));
            let seconds = passed.millis / 1000;
            assert!(
                passed.amount.messages * 5 >= least && passed.amount.messages * 5 <= most,
                "{span:?} {passed:?}"
            );
            assert!(
                span == Span::Today || (seconds >= least && seconds <= most),
                "{span:?} {passed:?}"
            );
            if span != Span::Today {
                assert!((passed.messages_a_second() - 0.2).abs() < 0.05, "{span:?}");
                assert!((passed.bytes_a_second() - 2.0).abs() < 0.5, "{span:?}");
            }
        }
        assert_eq!(traffic.total().messages, 2 * 86_400 / 5);
        assert_eq!(traffic.total().times, traffic.total().messages);
    }

    #[test]
    fn what_is_idle_falls_out_of_every_span() {
        let traffic = Traffic::default();
        count(&traffic, 7, 0);
        assert_eq!(messages(&traffic, Span::TenSeconds, 5), 7);
        assert_eq!(messages(&traffic, Span::TenSeconds, 21), 0);
        assert_eq!(messages(&traffic, Span::Minute, 59), 7);
        assert_eq!(messages(&traffic, Span::Minute, 71), 0);
        assert_eq!(messages(&traffic, Span::Hour, 3599), 7);
        assert_eq!(messages(&traffic, Span::Hour, 4201), 0);
        assert_eq!(messages(&traffic, Span::Day, 86_399), 7);
        assert_eq!(messages(&traffic, Span::Day, 90_001), 0);
        assert_eq!(messages(&traffic, Span::Today, 86_399), 7);
        assert_eq!(messages(&traffic, Span::Today, 86_400), 0);
        assert_eq!(messages(&traffic, Span::SinceYesterday, 86_400), 7);
        assert_eq!(messages(&traffic, Span::SinceYesterday, 2 * 86_400), 0);
        assert_eq!(traffic.total().messages, 7);
    }

    #[test]
    fn what_has_just_begun_has_the_rate_of_the_time_it_was_there() {
        let traffic = Traffic::default();
        assert_eq!(
            traffic.within(Span::Minute, at(0)).amount,
            Amount::default()
        );
        assert_eq!(traffic.counted_at(), None);
        count(&traffic, 100, 1000);
        let passed = traffic.within(Span::Minute, at(1010));
        assert!((passed.messages_a_second() - 10.0).abs() < 1e-9);
        assert_eq!(traffic.counted_at(), Some(at(1000)));
    }

    #[test]
    fn a_clock_that_goes_back_loses_nothing() {
        let traffic = Traffic::default();
        count(&traffic, 1, 100);
        count(&traffic, 2, 50);
        count(&traffic, 4, 100);
        assert_eq!(messages(&traffic, Span::Minute, 100), 7);
    }
}
