/// The pairs of a property area, `name \x01 value \x02` repeated, in their order.
///
/// Read as Java reads it: the last `\x02` may be missing, a second `\x01` belongs to the value,
/// entries without a name or a value are no pairs. Of a repeated name the last counts.
pub fn properties(area: &str) -> impl Iterator<Item = (&str, &str)> {
    area.split('\u{2}')
        .filter_map(|entry| entry.split_once('\u{1}'))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// Java's `String.hashCode`, of which tags' hashes are made.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}
