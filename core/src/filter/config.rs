use serde::{Deserialize, Serialize};

/// What filters may be, and how much one read does for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterConfig {
    /// Longest SQL expression in bytes.
    pub expression_bytes_max: usize,
    /// Deepest nesting of an SQL expression: parentheses, `NOT`, chains of `=` and `IS NULL`;
    /// never beyond 128.
    pub expression_depth_max: usize,
    /// Index entries one read passes over by their tag's hash before it answers.
    pub entries_passed_max: usize,
    /// Messages whose properties one read looks at before it answers.
    pub messages_scanned_max: u32,
    /// Bytes of the records one read looks at before it answers, but always one record.
    pub bytes_scanned_max: usize,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self {
            expression_bytes_max: 8 << 10,
            expression_depth_max: 64,
            entries_passed_max: 16_000,
            messages_scanned_max: 1_024,
            bytes_scanned_max: 4 << 20,
        }
    }
}
