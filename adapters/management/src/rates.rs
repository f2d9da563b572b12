//! How fast counters move: measured between one question and the next, so that nothing runs and
//! nothing is kept where nobody asks. The first question finds no past, and is told a rate of 0.

use gantry_core::model::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The past that a rate is of, in milliseconds, if there is that much.
const SPAN_MS: u64 = 5_000;
/// Least time between two samples.
const STEP_MS: u64 = 1_000;
/// What is older says nothing of now, and who asked for it is gone.
const FORGET_MS: u64 = 60_000;
/// Most samples of one thing: a span of steps, and the one before.
const SAMPLES_MAX: usize = 8;

/// Whose counters they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// All that a user sees.
    Overview(String),
    Vhost(Arc<str>),
    Connection(String),
    Channel(String),
    /// Of a virtual host.
    Queue(Arc<str>, Arc<str>),
}

/// A counter, as RabbitMQ calls it, and where it stands.
pub(crate) type Figure = (&'static str, u64);

#[derive(Debug)]
struct Sample {
    at: Timestamp,
    values: Vec<u64>,
}

#[derive(Debug, Default)]
struct Past {
    samples: HashMap<Subject, VecDeque<Sample>>,
    swept_at: Timestamp,
}

/// What was asked for within a minute.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<Past>);

/// Counters with how fast they move.
#[derive(Clone, Debug)]
pub(crate) struct Measured(Vec<(Figure, f64)>);

impl Rates {
    /// How fast counters move that stand so `now`. They are the same in the same order each time.
    pub(crate) fn measure(&self, of: Subject, figures: &[Figure], now: Timestamp) -> Measured {
        let mut past = self.0.lock();
        past.sweep(now);
        let samples = past.samples.entry(of).or_default();
        samples.retain(|sample| now.millis_since(sample.at) <= FORGET_MS);
        let age = |sample: &Sample| now.millis_since(sample.at);
        let mut newest_first = samples.iter().rev();
        let before = newest_first
            .find(|sample| age(sample) >= SPAN_MS)
            .or_else(|| samples.front().filter(|sample| age(sample) >= STEP_MS));
        let measured = figures.iter().enumerate().map(|(at, figure)| {
            let rate = before.and_then(|sample| {
                let value = sample.values.get(at)?;
                Some(per_second(*value, figure.1, age(sample)))
            });
            (*figure, rate.unwrap_or_default())
        });
        let measured = Measured(measured.collect());
        if samples.back().is_none_or(|last| age(last) >= STEP_MS) {
            if samples.len() >= SAMPLES_MAX {
                samples.pop_front();
            }
            let values = figures.iter().map(|figure| figure.1).collect();
            samples.push_back(Sample { at: now, values });
        }
        measured
    }
}

impl Past {
    /// Forgets what nobody asks for any more.
    fn sweep(&mut self, now: Timestamp) {
        if now.millis_since(self.swept_at) < FORGET_MS / 2 {
            return;
        }
        self.swept_at = now;
        self.samples.retain(|_, samples| {
            let newest = samples.back();
            newest.is_some_and(|sample| now.millis_since(sample.at) <= FORGET_MS)
        });
    }
}

impl Measured {
    /// Writes those of these names, each with its rate.
    pub(crate) fn write(&self, names: &[&str], into: &mut Map<String, Value>) {
        let named = self.0.iter().filter(|((name, _), _)| names.contains(name));
        for ((name, value), rate) in named {
            into.insert((*name).to_owned(), (*value).into());
            into.insert(format!("{name}_details"), json!({ "rate": rate }));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is a figure for people, exact to 53 bits"
)]
fn per_second(before: u64, after: u64, millis: u64) -> f64 {
    (after as f64 - before as f64) * 1000.0 / millis.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rates: &Rates, seconds: i64, value: u64) -> f64 {
        let now = Timestamp::from_millis(1_000_000 + seconds * 1_000);
        let of = Subject::Connection("c".to_owned());
        let mut told = Map::new();
        let measured = rates.measure(of, &[("publish", value)], now);
        measured.write(&["publish"], &mut told);
        assert_eq!(told["publish"], value);
        told["publish_details"]["rate"].as_f64().unwrap()
    }

    fn assert_rates(rates: &Rates, expected: &[(i64, u64, f64)]) {
        for (seconds, value, expected) in expected {
            let told = rate(rates, *seconds, *value);
            assert!((told - expected).abs() < 1e-9, "at {seconds}: {told}");
        }
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let rates = Rates::default();
        let steady = [
            (0, 100, 0.0),
            (0, 100, 0.0),
            (5, 150, 10.0),
            (10, 250, 20.0),
        ];
        assert_rates(&rates, &steady);
        // Who asks each second is told of five, and of more no sample is kept.
        for second in 11..40 {
            let value = 250 + u64::try_from(second - 10).unwrap() * 3;
            let told = rate(&rates, second, value);
            assert!(second < 16 || (told - 3.0).abs() < 1e-9, "{told}");
        }
        assert!(
            rates
                .0
                .lock()
                .samples
                .values()
                .all(|of| of.len() <= SAMPLES_MAX)
        );
        // A queue gets shorter; what is long past says nothing.
        assert_rates(&rates, &[(44, 37, -60.0), (200, 50, 0.0)]);
    }

    #[test]
    fn nothing_is_kept_of_what_nobody_asks_for() {
        let rates = Rates::default();
        rate(&rates, 0, 1);
        let later = Timestamp::from_millis(1_200_000);
        rates.measure(Subject::Overview("u".to_owned()), &[("publish", 1)], later);
        assert_eq!(rates.0.lock().samples.len(), 1);
    }
}
