//! A file's bytes twice over: as the page cache shows them, and as the disk has them.

use super::random::Random;
use bytes::Bytes;
use std::collections::BTreeSet;

/// What the page cache writes back at once.
const PAGE: usize = 4096;
/// What a disk writes whole.
const SECTOR: usize = 512;

/// How a power cut treats what was not synced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// Of 100 pages, how many reach the disk whole.
    kept: u64,
    /// Of the other pages, how many of 100 are torn into sectors.
    torn: u64,
    /// Of 100 names, how many reach the disk.
    pub(super) names: u64,
}

/// One file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Pages that a sync has to write.
    dirty: BTreeSet<usize>,
    length_is_dirty: bool,
    /// What readers are given, until the next write.
    image: Option<Bytes>,
}

impl Fate {
    /// Cuts come in kinds: everything lost, everything kept, and all between.
    pub(super) fn draw(random: &mut Random) -> Self {
        let (kept, torn, names) = match random.below(8) {
            0 | 1 => (0, 0, 0),
            2 => (100, 0, 100),
            3 => (0, 0, 50),
            _ => (random.below(101), random.below(101), random.below(101)),
        };
        Self { kept, torn, names }
    }
}

impl Content {
    /// A file that is on the disk as it is.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            cached: bytes.clone(),
            durable: bytes,
            ..Self::default()
        }
    }

    pub(super) const fn length(&self) -> usize {
        self.cached.len()
    }

    pub(super) fn read(&mut self, at: usize, length: usize) -> Bytes {
        let cached = &self.cached;
        let image = self
            .image
            .get_or_insert_with(|| Bytes::copy_from_slice(cached));
        let start = at.min(image.len());
        image.slice(start..start.saturating_add(length).min(image.len()))
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.grow(end);
        if let Some(place) = self.cached.get_mut(at..end) {
            place.copy_from_slice(bytes);
        }
        self.touch(at, end);
    }

    /// Zeros up to `length`, when the file is shorter.
    pub(super) fn grow(&mut self, length: usize) {
        let from = self.cached.len();
        if from < length {
            self.cached.resize(length, 0);
            self.length_is_dirty = true;
            self.touch(from, length);
        }
    }

    pub(super) fn truncate(&mut self) {
        let end = self.cached.len().max(self.durable.len());
        self.cached.clear();
        self.length_is_dirty = true;
        self.touch(0, end);
    }

    pub(super) fn sync(&mut self) {
        for page in std::mem::take(&mut self.dirty) {
            let end = (page + 1) * PAGE;
            copy_between(&self.cached, &mut self.durable, page * PAGE, end);
        }
        if std::mem::take(&mut self.length_is_dirty) {
            self.durable.resize(self.cached.len(), 0);
        }
    }

    /// A sync that failed: what was dirty counts as written and is not.
    pub(super) fn lose_dirty(&mut self) {
        self.dirty.clear();
        self.length_is_dirty = false;
    }

    /// Flips one bit on the disk.
    pub(super) fn flip(&mut self, at: usize, bit: u8) {
        self.image = None;
        for bytes in [&mut self.cached, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
    }

    /// What the disk has after a power cut.
    pub(super) fn survive(&self, fate: Fate, random: &mut Random) -> Vec<u8> {
        let mut left = self.durable.clone();
        if self.length_is_dirty && random.chance(fate.kept.max(fate.torn)) {
            left.resize(self.cached.len(), 0);
        }
        let length = left.len();
        for page in &self.dirty {
            let (start, end) = (page * PAGE, (page + 1) * PAGE);
            if random.chance(fate.kept) {
                copy_between(&self.cached, &mut left, start, end);
            } else if random.chance(fate.torn) {
                for sector in (start..end).step_by(SECTOR) {
                    if random.chance(50) {
                        copy_between(&self.cached, &mut left, sector, sector + SECTOR);
                    }
                }
            }
        }
        left.resize(length, 0);
        left
    }

    fn touch(&mut self, from: usize, to: usize) {
        self.image = None;
        if from < to {
            self.dirty.extend(from / PAGE..to.div_ceil(PAGE));
        }
    }
}

/// Copies the bytes from `start` to `end` as far as there are any; what is missing is zeros.
fn copy_between(from: &[u8], to: &mut Vec<u8>, start: usize, end: usize) {
    let end = end.min(from.len().max(to.len()));
    if start >= end {
        return;
    }
    if to.len() < end {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(start..end) {
        place.fill(0);
        let source = from.get(start..end.min(from.len())).unwrap_or_default();
        if let Some(place) = place.get_mut(..source.len()) {
            place.copy_from_slice(source);
        }
    }
}
