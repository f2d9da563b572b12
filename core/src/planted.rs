//! Mistakes planted on purpose, to prove that the simulation would find them. Compiled in with the
//! feature `planted-bugs` alone, and each is made only where [`plant`] asks for it.

/// Whether the mistake of that name is wanted; never without the feature.
macro_rules! planted {
    ($name:literal) => {
        $crate::planted::is_wanted($name)
    };
}

/// Every mistake, by name.
#[cfg(feature = "planted-bugs")]
#[doc(hidden)]
pub const PLANTED_BUGS: &[&str] = &[
    "append.before_write",
    "append.go_on_after_failure",
    "append.same_offset",
    "damage.cut",
    "damage.trust_recent",
    "flush.forget_waiter",
    "flush.ignore_failure",
    "flush.mark_before_sync",
    "flush.newest_segment_only",
    "flush.release_before_sync",
    "flush.skip_sync",
    "full.for_ever",
    "index.before_flush",
    "recover.forget_commands",
    "recover.forget_producers",
    "recover.keep_tail",
    "recover.skip_rewrite",
    "recover.trust_checksum",
    "segment.forget_directory_sync",
    "snapshot.forget_ends",
    "topic.half_deleted",
];

#[cfg(feature = "planted-bugs")]
thread_local! {
    static WANTED: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Has this thread make that mistake from now on.
#[cfg(feature = "planted-bugs")]
#[doc(hidden)]
pub fn plant(name: Option<&'static str>) {
    WANTED.set(name);
}

#[cfg(feature = "planted-bugs")]
pub(crate) fn is_wanted(name: &str) -> bool {
    WANTED.get() == Some(name)
}

#[cfg(not(feature = "planted-bugs"))]
pub(crate) const fn is_wanted(_name: &str) -> bool {
    false
}
