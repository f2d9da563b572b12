//! A file system in memory that loses power, runs full and tells lies, after the file of
//! FoundationDB's simulation that is not durable. Everything that happens follows from its seed
//! and the calls it gets. It must never be kinder than [`super::Vfs`] promises.
//!
//! What is written is seen at once, and is on the disk once it is synced. At a power cut every
//! 4 KiB page that is not may be old, new, or new in some of its 512-byte sectors; a file's length
//! and every name may be old or new. A killed process, in contrast, loses nothing: what the next
//! one finds is there, but still not on the disk.

mod disk;
mod fault;
mod file;
mod random;
#[cfg(test)]
mod tests;

pub use fault::{Call, Effect, Fault};
pub use random::Random;

use super::{Space, Vfs, VfsFile};
use bytes::Bytes;
use disk::{Disk, Inode};
use fault::{Plan, power_is_off};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The room there is when nobody bounds it.
const UNBOUNDED: u64 = 1 << 40;

/// A simulated file system; clones are the same one.
#[derive(Clone)]
pub struct SimVfs {
    machine: Arc<Mutex<Machine>>,
}

#[derive(Debug)]
struct Machine {
    disk: Disk,
    plan: Plan,
    random: Random,
    capacity: u64,
    is_off: bool,
    locks: BTreeSet<PathBuf>,
}

struct SimFile {
    machine: Arc<Mutex<Machine>>,
    file: Inode,
}

/// Lets go of a lock when dropped.
struct Held {
    machine: Arc<Mutex<Machine>>,
    path: PathBuf,
}

impl SimVfs {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::default(), Random::new(seed), UNBOUNDED)
    }

    fn of(disk: Disk, random: Random, capacity: u64) -> Self {
        let machine = Machine {
            disk,
            plan: Plan::default(),
            random,
            capacity,
            is_off: false,
            locks: BTreeSet::new(),
        };
        Self {
            machine: Arc::new(Mutex::new(machine)),
        }
    }

    /// Plans a fault.
    pub fn plan(&self, fault: Fault) {
        self.machine.lock().plan.faults.push(fault);
    }

    /// Forgets the faults that have not come.
    pub fn forget_faults(&self) {
        self.machine.lock().plan.faults.clear();
    }

    /// Whether planned faults have not come yet.
    #[must_use]
    pub fn has_faults(&self) -> bool {
        !self.machine.lock().plan.faults.is_empty()
    }

    /// From now on every call fails.
    pub fn cut_power(&self) {
        self.machine.lock().is_off = true;
    }

    /// Cuts the power in the call after the next `calls`.
    pub fn cut_power_after(&self, calls: u64) {
        self.plan(Fault {
            call: None,
            after: calls,
            effect: Effect::PowerCut,
        });
    }

    /// Whether the power was cut.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.machine.lock().is_off
    }

    /// The machine after a power cut that `seed` chooses: what is on its disk survives, and of the
    /// rest some. Who still holds this one finds it off.
    #[must_use]
    pub fn power_on(&self, seed: u64) -> Self {
        let mut machine = self.machine.lock();
        machine.is_off = true;
        let mut random = Random::new(seed);
        let disk = machine.disk.survive(&mut random);
        Self::of(disk, random, machine.capacity)
    }

    /// Another machine whose disk and page cache are as they are here now.
    #[must_use]
    pub fn copy(&self) -> Self {
        let machine = self.machine.lock();
        let (disk, random) = (machine.disk.clone(), machine.random.clone());
        Self::of(disk, random, machine.capacity)
    }

    /// Bounds the bytes of all files together.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine.lock().capacity = bytes.unwrap_or(UNBOUNDED);
    }

    /// Bytes of all files.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.machine.lock().disk.used()
    }

    /// All files, in order of name.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.machine.lock().disk.paths()
    }

    /// How often each kind of call was made.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Call, u64> {
        self.machine.lock().plan.counts.clone()
    }

    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.machine.lock().plan.counts.values().sum()
    }

    /// Flips one bit of the byte `at` of a file on the disk. Says nothing and counts no call.
    ///
    /// # Errors
    /// No such file.
    pub fn flip_bit(&self, path: &Path, at: u64, bit: u8) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let file = machine.disk.find(path)?;
        machine.disk.file(file)?.flip(index(at)?, bit);
        Ok(())
    }

    /// Flips a random bit of a file that has bytes.
    ///
    /// # Errors
    /// No such file.
    pub fn flip_any_bit(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        let file = machine.disk.find(path)?;
        let length = machine.disk.file(file)?.length() as u64;
        let bits = machine.random.below(length * 8);
        let bit = u8::try_from(bits % 8).unwrap_or(0);
        machine.disk.file(file)?.flip(index(bits / 8)?, bit);
        Ok(())
    }

    /// Removes the files of a directory, as somebody else would.
    pub fn clear_directory(&self, directory: &Path) {
        let mut machine = self.machine.lock();
        for path in machine.disk.list(directory).unwrap_or_default() {
            // It was listed a moment ago.
            let _there = machine.disk.remove(&path);
        }
        let _there = machine.disk.sync_directory(directory);
    }

    fn file(&self, file: Inode) -> Arc<dyn VfsFile> {
        Arc::new(SimFile {
            machine: Arc::clone(&self.machine),
            file,
        })
    }
}

impl Machine {
    /// Counts a call; an error when it fails without having done anything.
    fn enter(&mut self, call: Call) -> io::Result<()> {
        match self.meet(call)? {
            None => Ok(()),
            Some(effect) => Err(effect.error()),
        }
    }

    fn meet(&mut self, call: Call) -> io::Result<Option<Effect>> {
        if self.is_off {
            return Err(power_is_off());
        }
        let effect = self.plan.meet(call);
        self.is_off = effect == Some(Effect::PowerCut);
        Ok(effect)
    }

    /// Counts a call that changes something, and does it; a power cut may come after it.
    fn change<T>(
        &mut self,
        call: Call,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.meet(call)? {
            None => act(&mut self.disk),
            Some(Effect::PowerCut) => {
                if self.random.chance(50) {
                    act(&mut self.disk)?;
                }
                Err(power_is_off())
            }
            Some(effect) => Err(effect.error()),
        }
    }

    /// Whether a file may grow to `length`.
    fn check_room(&mut self, file: Inode, length: u64) -> io::Result<()> {
        let have = self.disk.file(file)?.length() as u64;
        let more = length.saturating_sub(have);
        if more > 0 && self.disk.used().saturating_add(more) > self.capacity {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn write(&mut self, file: Inode, bytes: &[u8], at: u64) -> io::Result<()> {
        let effect = self.meet(Call::Write)?;
        let done = match effect {
            None => bytes.len(),
            Some(Effect::Partial | Effect::PowerCut) => {
                let part = self.random.below(bytes.len() as u64 + 1);
                index(part)?
            }
            Some(_) => 0,
        };
        self.check_room(file, at + done as u64)?;
        let part = bytes.get(..done).unwrap_or_default();
        self.disk.file(file)?.write(index(at)?, part);
        effect.map_or(Ok(()), |effect| Err(effect.error()))
    }
}

impl Vfs for SimVfs {
    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        machine.enter(Call::CreateDirectories)?;
        machine.disk.create_directories(path);
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut machine = self.machine.lock();
        machine.enter(Call::List)?;
        machine.disk.list(directory)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let mut machine = self.machine.lock();
        let file = machine.change(Call::Create, |disk| disk.create(path))?;
        Ok(self.file(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn VfsFile>> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Open)?;
        Ok(self.file(machine.disk.find(path)?))
    }

    fn content(&self, path: &Path) -> io::Result<Bytes> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Content)?;
        let file = machine.disk.find(path)?;
        Ok(machine.disk.file(file)?.read(0, usize::MAX))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        machine.change(Call::Rename, |disk| disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        machine.change(Call::Remove, |disk| disk.remove(path))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine.lock();
        machine.change(Call::SyncDirectory, |disk| disk.sync_directory(path))
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Space)?;
        Ok(Space {
            used: machine.disk.used(),
            available: machine.capacity.saturating_sub(machine.disk.used()),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
        let mut machine = self.machine.lock();
        machine.change(Call::Lock, |disk| disk.create(path))?;
        if !machine.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held {
            machine: Arc::clone(&self.machine),
            path: path.to_owned(),
        }))
    }
}

impl VfsFile for SimFile {
    fn length(&self) -> io::Result<u64> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Length)?;
        Ok(machine.disk.file(self.file)?.length() as u64)
    }

    fn read(&self, at: u64, length: usize) -> io::Result<Bytes> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Read)?;
        Ok(machine.disk.file(self.file)?.read(index(at)?, length))
    }

    fn write(&self, slices: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
        let bytes = slices.concat();
        self.machine.lock().write(self.file, &bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        let mut machine = self.machine.lock();
        match machine.meet(Call::Sync)? {
            None => machine.disk.file(self.file)?.sync(),
            Some(effect) => {
                if effect == Effect::Forgetful {
                    machine.disk.file(self.file)?.lose_dirty();
                }
                return Err(effect.error());
            }
        }
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let mut machine = self.machine.lock();
        machine.enter(Call::Allocate)?;
        machine.check_room(self.file, length)?;
        machine.disk.file(self.file)?.grow(index(length)?);
        Ok(())
    }

    fn zero(&self, range: Range<u64>) -> io::Result<()> {
        let zeros = vec![0; index(range.end.saturating_sub(range.start))?];
        let mut machine = self.machine.lock();
        let at = index(range.start)?;
        machine.change(Call::Zero, |disk| {
            disk.file(self.file)?.write(at, &zeros);
            Ok(())
        })
    }

    fn write_back(&self, _range: Range<u64>) {}

    fn forget_before(&self, _end: u64) {}

    fn release_pages(&self) {}

    fn give_up_reads(&self) -> bool {
        // Readers hold copies.
        true
    }
}

impl fmt::Debug for SimVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimVfs({} calls)", self.calls())
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.machine.lock().locks.remove(&self.path);
    }
}

fn index(value: u64) -> io::Result<usize> {
    usize::try_from(value).map_err(io::Error::other)
}
