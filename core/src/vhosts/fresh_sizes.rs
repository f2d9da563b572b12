//! Sizes of the messages of a queue that were never handed out.

use std::collections::VecDeque;

/// Of consecutive offsets.
#[derive(Debug, Default)]
pub(crate) struct FreshSizes {
    from: u64,
    sizes: VecDeque<u32>,
    sum: u64,
}

impl FreshSizes {
    pub(crate) const fn sum(&self) -> u64 {
        self.sum
    }

    pub(crate) fn end(&self) -> u64 {
        self.from + self.sizes.len() as u64
    }

    /// Notes the size of a message; those before it that are not known are not there.
    pub(crate) fn put(&mut self, offset: u64, size: u32) {
        if offset >= self.end() {
            self.pass(offset);
            self.sizes.push_back(size);
            self.sum += u64::from(size);
        }
    }

    /// What is not known before `end` is not there.
    pub(crate) fn pass(&mut self, end: u64) {
        let missing = usize::try_from(end.saturating_sub(self.end())).unwrap_or(0);
        self.sizes.resize(self.sizes.len() + missing, 0);
    }

    /// Everything before `cursor` was handed out, or is not wanted.
    pub(crate) fn drop_before(&mut self, cursor: u64) {
        if cursor >= self.end() {
            *self = Self {
                from: cursor,
                ..Self::default()
            };
        }
        while self.from < cursor {
            self.sum -= u64::from(self.sizes.pop_front().unwrap_or(0));
            self.from += 1;
        }
    }
}
