/// The pairs of a property area, `name \x01 value \x02` repeated, in their order.
///
/// Read as Java reads it: the last `\x02` may be missing, a second `\x01` belongs to the value,
/// entries without a name or a value are no pairs. Of a repeated name the last counts.
pub fn properties(area: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = area;
    // Every message comes through here: as characters the separators are dear to search for.
    let entries = std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (entry, after) = split_at_byte(rest, 2).unwrap_or((rest, ""));
        rest = after;
        Some(entry)
    });
    entries
        .filter_map(|entry| split_at_byte(entry, 1))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// What is before and behind the first `byte`, an ASCII character.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Java's `String.hashCode`, of which tags' hashes are made.
#[must_use]
pub fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}
