//! Places where the crash rig ends the process as `kill -9` does, compiled in with the feature
//! `crash-points` alone. `GANTRY_CRASH_AT=append.before_write:3` is the third time that place is
//! reached.

/// Ends the process here when the environment says so; nothing without the feature.
macro_rules! crash_point {
    ($name:literal) => {
        #[cfg(feature = "crash-points")]
        $crate::crash_points::reach($name);
    };
}

/// Every place, by name.
pub const CRASH_POINTS: &[&str] = &[
    "append.after_write",
    "append.before_write",
    "expire.after_checkpoint",
    "expire.before_checkpoint",
    "expire.before_directory_sync",
    "expire.before_drop",
    "expire.before_index",
    "expire.before_raise",
    "expire.before_remove",
    "expire.before_rename",
    "expire.begun",
    "flush.before_mark",
    "flush.before_release",
    "flush.before_sync",
    "forward.before_append",
    "forward.done",
    "forward.staged",
    "forward.written",
    "index.before_flush",
    "index.before_remove",
    "index.before_write",
    "mark.before_write",
    "producer_ids.before_reserve",
    "recover.after_cut",
    "recover.before_cut",
    "recover.before_replay",
    "recover.replayed",
    "recycle.before_directory_sync",
    "recycle.before_rename",
    "recycle.ready",
    "relay.before_append",
    "relay.before_settle",
    "roll.after_filler",
    "roll.before_filler",
    "roll.before_spare",
    "segment.allocated",
    "segment.created",
    "segment.named",
    "segment.synced",
    "shutdown.before_seal",
    "shutdown.before_stop",
    "shutdown.sealed",
    "snapshot.after_write",
    "snapshot.before_remove",
    "snapshot.before_write",
    "starts.logged",
    "state.before_append",
    "state.before_apply",
    "stretch.before_close",
    "stretch.closed",
    "topic.before_delete",
    "whole.before_directory_sync",
    "whole.before_rename",
    "whole.before_sync",
];

#[cfg(feature = "crash-points")]
pub(crate) fn reach(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static REACHED: AtomicU64 = AtomicU64::new(0);
    let wanted = WANTED.get_or_init(|| {
        let wanted = std::env::var("GANTRY_CRASH_AT").ok()?;
        let (name, time) = wanted.split_once(':')?;
        Some((name.to_owned(), time.parse().ok()?))
    });
    if let Some((wanted, time)) = wanted
        && wanted == name
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *time
    {
        let _unreachable =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::CRASH_POINTS;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn reached_in(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                reached_in(&path, names);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let calls = text.split("crash_point!(\"").skip(1);
                names.extend(calls.filter_map(|call| Some(call.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn every_place_is_listed_and_there() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut names = BTreeSet::new();
        reached_in(&sources, &mut names);
        names.retain(|name| name.contains('.') && !name.contains(' '));
        assert!(
            names
                .iter()
                .map(String::as_str)
                .eq(CRASH_POINTS.iter().copied())
        );
        assert!(CRASH_POINTS.len() >= 40);
    }
}
