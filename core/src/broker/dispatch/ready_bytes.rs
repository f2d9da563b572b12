//! How many bytes of bodies are ready in a queue that limits them.

use super::{LeaseQueue, lease_queues};
use crate::record::RecordView;
use crate::vhosts::{FreshSizes, WorkQueue};
use crate::{Client, Error};

/// Messages looked at in one read.
const LOOK: u32 = 1_024;
const LOOK_BYTES: usize = 16 << 20;

impl Client {
    /// Bytes of the bodies that are ready. What was never handed out is looked at once, what has
    /// returned each time.
    pub(super) fn ready_bytes(&self, queue: &WorkQueue) -> Result<u64, Error> {
        let mut sizes = queue.fresh_sizes();
        let mut sum = 0;
        for (at, of) in lease_queues(queue).enumerate() {
            let (cursor, end, returned) = self.ready_offsets(queue, &of)?;
            if sizes.len() <= at {
                sizes.push(FreshSizes::default());
            }
            let Some(fresh) = sizes.get_mut(at) else {
                continue;
            };
            fresh.drop_before(cursor);
            self.learn(&of, fresh, end)?;
            sum += fresh.sum();
            for offset in returned {
                let message = self.leased_message(&of, offset)?;
                sum += message.map_or(0, |message| body_bytes(&message.bytes).into());
            }
        }
        Ok(sum)
    }

    fn ready_offsets(
        &self,
        queue: &WorkQueue,
        of: &LeaseQueue,
    ) -> Result<(u64, u64, Vec<u64>), Error> {
        let leases = self.shared.leases.group(queue.group());
        let mut ledgers = leases.lock();
        let (ledger, range) = self.current_ledger(&mut ledgers, queue.group(), of)?;
        let mut returned = Vec::new();
        let mut from = 0;
        while let Some((offset, _)) = ledger.next_returned(from) {
            returned.push(offset);
            from = offset + 1;
        }
        Ok((ledger.cursor(), range.end.get(), returned))
    }

    /// Looks at what has come up to `end`.
    fn learn(&self, of: &LeaseQueue, fresh: &mut FreshSizes, end: u64) -> Result<(), Error> {
        while fresh.end() < end {
            let from = fresh.end();
            let (views, next) = self.read_queue(of, from, (LOOK, LOOK_BYTES), None)?;
            for view in views {
                fresh.put(view.offset.get(), body_bytes(&view.bytes));
            }
            if next.get() <= from {
                return Ok(());
            }
            fresh.pass(next.get());
        }
        Ok(())
    }
}

fn body_bytes(record: &bytes::Bytes) -> u32 {
    let record = RecordView::parse(record);
    record.map_or(0, |record| {
        u32::try_from(record.body().len()).unwrap_or(u32::MAX)
    })
}
