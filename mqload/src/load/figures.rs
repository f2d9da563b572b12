use anyhow::Result;
use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// A microsecond; what is faster counts as that.
const LOWEST_NS: u64 = 1_000;
/// An hour; what is slower counts as that.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// How fast a load was.
#[derive(Clone, Debug)]
pub struct Figures {
    /// From the start to the last acknowledgement.
    pub elapsed: Duration,
    /// From the start to the end, waiting for answers included.
    pub stopped_after: Duration,
    /// Messages acknowledged.
    pub stored: u64,
    /// Messages refused.
    pub failed: u64,
    /// Messages whose fate is not known.
    pub unknown: u64,
    /// Messages that were due and never sent.
    pub overdue: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Connections made, the first of each producer included.
    pub connects: u64,
    /// Processor time of the load's thread, without the ledger's.
    pub cpu: Duration,
    /// From when a message should have been sent to its acknowledgement: a load that is held up
    /// counts the wait.
    pub latency: Quantiles,
    /// From when a request should have been sent to when it was: our own share, and the wait
    /// for a place in flight.
    pub lag: Quantiles,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

impl Figures {
    /// Messages acknowledged a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let messages = u32::try_from(self.stored).map_or(f64::INFINITY, f64::from);
        messages / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A distribution of times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Half are not longer.
    pub p50: Duration,
    /// 90 of 100 are not longer.
    pub p90: Duration,
    /// 99 of 100 are not longer.
    pub p99: Duration,
    /// 999 of 1,000 are not longer.
    pub p999: Duration,
    /// 9,999 of 10,000 are not longer.
    pub p9999: Duration,
    /// The longest.
    pub max: Duration,
}

impl Quantiles {
    pub(crate) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: Duration::from_nanos(histogram.max()),
        }
    }

    /// The quantiles with their names.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, Duration); 6] {
        [
            ("p50", self.p50),
            ("p90", self.p90),
            ("p99", self.p99),
            ("p99.9", self.p999),
            ("p99.99", self.p9999),
            ("max", self.max),
        ]
    }
}

pub(crate) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 3)?)
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} acknowledged in {:.3} s: {:.0} messages/s",
            self.stored,
            self.elapsed.as_secs_f64(),
            self.rate()
        )?;
        writeln!(
            out,
            "{} refused, {} unknown, {} overdue; {} requests sent again, {} connections",
            self.failed, self.unknown, self.overdue, self.retries, self.connects
        )?;
        let cpu = self.cpu.as_secs_f64();
        writeln!(out, "{cpu:.3} s of processor time")?;
        if let Some(error) = &self.last_error {
            writeln!(out, "last error: {error}")?;
        }
        write!(out, "{:8}{:>12}{:>12}", "us", "latency", "lag")?;
        for ((name, latency), (_, lag)) in self.latency.named().iter().zip(self.lag.named()) {
            write!(
                out,
                "\n{name:8}{:>12}{:>12}",
                latency.as_micros(),
                lag.as_micros()
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut times = histogram().unwrap();
        for time in 1..=10_000 {
            times.saturating_record(time * 1_000);
        }
        let quantiles = Quantiles::of(&times);
        let close = |found: Duration, micros: u128| found.as_micros().abs_diff(micros) <= 10;
        assert!(close(quantiles.p50, 5_000), "{quantiles:?}");
        assert!(close(quantiles.p9999, 9_999), "{quantiles:?}");
        assert!(close(quantiles.max, 10_000), "{quantiles:?}");
        times.saturating_record(u64::MAX);
        assert!(Quantiles::of(&times).max >= Duration::from_secs(3_600));
    }
}
