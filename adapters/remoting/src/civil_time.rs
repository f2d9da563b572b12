//! Times for people, in UTC.

/// `2026-11-23#13:28:57:146`, as stock brokers write a time in milliseconds since 1970 (they in
/// the machine's time zone); the number itself when it is no time.
pub(crate) fn text(millis: i64) -> String {
    if millis < 0 {
        return millis.to_string();
    }
    let seconds = millis.div_euclid(1000);
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    format!(
        "{year:04}-{month:02}-{day:02}#{:02}:{:02}:{:02}:{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        millis.rem_euclid(1000)
    )
}

/// Year, month and day of a day counted from 1970, by the Gregorian calendar. Counts years from
/// March, so that the leap day is a year's last.
fn date(day: i64) -> (i64, i64, i64) {
    /// Days from March of year 0 to 1970.
    const EPOCH: i64 = 719_468;
    /// Days of 400 years.
    const ERA: i64 = 146_097;
    let day = day.saturating_add(EPOCH);
    let era = day.div_euclid(ERA);
    let of_era = day.rem_euclid(ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    let month = if is_next_year { month - 9 } else { month + 3 };
    let year = year + era * 400 + i64::from(is_next_year);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn times_are_written_as_stock_brokers_write_them() {
        assert_eq!(text(0), "1970-01-01#00:00:00:000");
        assert_eq!(text(951_782_399_001), "2000-02-28#23:59:59:001");
        assert_eq!(text(951_868_799_999), "2000-02-29#23:59:59:999");
        assert_eq!(text(1_795_440_537_146), "2026-11-23#13:28:57:146");
        assert_eq!(text(-1), "-1");
    }
}
