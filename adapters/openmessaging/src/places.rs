//! Places in a destination's partitions as clients carry them: `partition:offset,…`.

use gantry_core::model::{QueueId, QueueOffset};
use std::fmt::Write as _;

/// A partition, and where in it.
pub(crate) type Place = (QueueId, QueueOffset);

/// What [`write`] wrote; `None` of anything else.
pub(crate) fn read(text: &str) -> Option<Vec<Place>> {
    let place = |text: &str| {
        let (queue, offset) = text.split_once(':')?;
        let queue = QueueId::new(queue.parse().ok()?);
        Some((queue, QueueOffset::new(offset.parse().ok()?)))
    };
    text.split(',').map(place).collect()
}

pub(crate) fn write(places: impl IntoIterator<Item = Place>) -> String {
    let mut text = String::new();
    for (queue, offset) in places {
        let comma = if text.is_empty() { "" } else { "," };
        // Text takes all that is written.
        let _ = write!(text, "{comma}{queue}:{offset}");
    }
    text
}
