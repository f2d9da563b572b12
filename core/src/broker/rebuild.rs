//! Making index and snapshots anew from the log.

use super::Config;
use super::open::{open, open_as};
use crate::Error;
use crate::model::{Clock, PhysicalOffset};
use crate::vfs::{RealVfs, Vfs};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildReport {
    /// Topics the log tells of.
    pub topics: usize,
    /// Their queues.
    pub queues: usize,
    /// Bytes of log.
    pub log_bytes: u64,
    /// Index files.
    pub index_files: usize,
    /// Their bytes.
    pub index_bytes: u64,
}

/// Removes the index and the snapshots of the store in `directory`, and makes them anew. Nothing
/// is removed before the store has opened with them, which cuts off a torn tail; when this is
/// interrupted the next start makes what is missing. `replayed` hears how far it is.
///
/// # Errors
/// [`Error::Storage`] when the store cannot be opened, is in use, or its files cannot be written.
pub fn rebuild_index(
    directory: &Path,
    config: &Config,
    clock: &Arc<dyn Clock>,
    replayed: &dyn Fn(PhysicalOffset),
) -> Result<RebuildReport, Error> {
    let failed = |error: std::io::Error| Error::Storage(error.to_string());
    if fs::read_dir(directory.join("commitlog"))
        .map_err(failed)?
        .next()
        .is_none()
    {
        return Err(Error::Storage("there is no log".to_owned()));
    }
    let vfs: Arc<dyn Vfs> = Arc::new(RealVfs);
    let clock_of = || Arc::clone(clock);
    drop(open(
        Arc::clone(&vfs),
        directory,
        config.clone(),
        clock_of(),
    )?);
    let (index, state) = (directory.join("index"), directory.join("state"));
    {
        // Between the two openings it could be served otherwise.
        let _lock = vfs.lock(&directory.join("lock")).map_err(failed)?;
        for path in [&index, &state] {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
    }
    let config = config.clone();
    let (shared, mut household) = open_as(
        Arc::clone(&vfs),
        directory,
        config,
        clock_of(),
        None,
        replayed,
    )?;
    let topics = shared.topics.all();
    shared.shutdown()?;
    household.finish()?;
    let files = vfs.list(&index).map_err(failed)?;
    let mut index_bytes = 0;
    for path in &files {
        index_bytes += fs::metadata(path).map_err(failed)?.len();
    }
    let start = shared.store.segments.start();
    Ok(RebuildReport {
        topics: topics.len(),
        queues: topics.iter().map(|topic| topic.queues().len()).sum(),
        log_bytes: start.distance_to(PhysicalOffset::new(shared.store.appended())),
        index_files: files.len(),
        index_bytes,
    })
}
