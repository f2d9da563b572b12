//! Client message ids for messages whose producer made none, in the clients' own form
//! (`MessageClientIDSetter`): address, process, start, milliseconds of the month, counter.

use gantry_core::model::Timestamp;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU16, Ordering};

const DAY_MILLIS: i64 = 86_400_000;

/// Makes ids no other message of this process has within 65,536 of them.
#[derive(Debug)]
pub(crate) struct UniqueKeys {
    prefix: [u8; 10],
    counter: AtomicU16,
}

impl UniqueKeys {
    /// For a broker at `address` started at `started_at`.
    pub(crate) fn new(address: IpAddr, started_at: Timestamp) -> Self {
        let ip = match address {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::LOCALHOST,
        };
        let [a, b, c, d] = ip.octets();
        let [.., e, f] = std::process::id().to_be_bytes();
        let [.., g, h, i, j] = started_at.millis().to_be_bytes();
        Self {
            prefix: [a, b, c, d, e, f, g, h, i, j],
            counter: AtomicU16::new(0),
        }
    }

    /// The next id: 32 upper-case hexadecimal digits.
    pub(crate) fn next(&self, now: Timestamp) -> String {
        let [.., a, b, c, d] = millis_of_month(now).to_be_bytes();
        let [e, f] = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut text = String::with_capacity(32);
        for byte in self.prefix.iter().chain(&[a, b, c, d, e, f]) {
            let _ = write!(text, "{byte:02X}");
        }
        text
    }
}

/// Milliseconds since the month began, in UTC.
fn millis_of_month(now: Timestamp) -> i64 {
    let days = now.millis().div_euclid(DAY_MILLIS);
    // Howard Hinnant's days-to-civil, up to the day: years begin in March.
    let day_of_era = (days + 719_468).rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5;
    day * DAY_MILLIS + now.millis().rem_euclid(DAY_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_is_the_calendars() {
        let day_of = |millis| millis_of_month(Timestamp::from_millis(millis)) / DAY_MILLIS + 1;
        assert_eq!(day_of(0), 1, "1970-01-01");
        assert_eq!(day_of(1_709_164_800_000), 29, "2024-02-29");
        assert_eq!(day_of(1_709_251_200_000), 1, "2024-03-01");
        assert_eq!(day_of(1_795_441_373_471), 23, "2026-11-23");
        assert_eq!(day_of(-1), 31, "1969-12-31");
    }

    #[test]
    fn ids_differ_within_one_millisecond() {
        let keys = UniqueKeys::new(Ipv4Addr::new(10, 0, 0, 1).into(), Timestamp::from_millis(7));
        let now = Timestamp::from_millis(1_795_441_373_471);
        let (first, second) = (keys.next(now), keys.next(now));
        assert_eq!(first.len(), 32);
        assert!(first.starts_with("0A000001"));
        assert_ne!(first, second);
    }
}
