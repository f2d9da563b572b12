use std::cmp::Ordering;

/// A number of an expression: as an integer where it is one, and as a decimal always.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    integer: Option<i64>,
    decimal: f64,
}

impl Number {
    /// An unsigned number as an expression writes it, an `L` behind integers allowed. `None` when
    /// it is out of range, or begins with a zero that is not all of its whole part.
    pub(super) fn literal(text: &str) -> Option<Self> {
        let text = text.strip_suffix(['l', 'L']).unwrap_or(text);
        let is_integer = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_integer && text.len() > 1 && text.starts_with('0') {
            return None;
        }
        let integer = text.parse().ok();
        if is_integer && integer.is_none() {
            return None;
        }
        let decimal = decimal(text)?;
        Some(Self { integer, decimal })
    }

    /// The number with the other sign.
    pub(super) fn negated(self) -> Self {
        Self {
            integer: self.integer.map(i64::wrapping_neg),
            decimal: -self.decimal,
        }
    }

    /// How it compares with another.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self.integer, other.integer) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => self.decimal.partial_cmp(&other.decimal),
        }
    }

    /// How it compares with text; `None` when that is no number.
    pub(super) fn compare_text(&self, text: &str) -> Option<Ordering> {
        if let (Some(left), Ok(right)) = (self.integer, text.parse()) {
            return Some(left.cmp(&right));
        }
        self.decimal.partial_cmp(&decimal(text)?)
    }
}

/// How two texts compare as numbers; `None` when one of them is none.
pub(super) fn compare_texts(left: &str, right: &str) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (left.parse::<i64>(), right.parse::<i64>()) {
        return Some(left.cmp(&right));
    }
    decimal(left)?.partial_cmp(&decimal(right)?)
}

/// A finite number, and nothing else Rust takes for one.
fn decimal(text: &str) -> Option<f64> {
    let number = text.parse().ok()?;
    f64::is_finite(number).then_some(number)
}
