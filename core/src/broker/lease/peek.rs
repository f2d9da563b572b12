//! What a request would be given, without giving it.

use super::LeaseRequest;
use crate::broker::MessageView;
use crate::{Client, Error};

impl Client {
    /// Messages a lease would hand out now, each with which of the request's queues it is of.
    /// They stay as they are.
    ///
    /// # Errors
    /// As [`Client::lease_now`].
    pub fn peek(&self, request: &LeaseRequest) -> Result<Vec<(usize, MessageView)>, Error> {
        let group = self.shared.leases.group(&request.group);
        let mut ledgers = group.lock();
        let limit = usize::try_from(request.messages_max).unwrap_or(usize::MAX);
        let mut room = request.bytes_max;
        let mut seen: Vec<(usize, MessageView)> = Vec::new();
        for (at, queue) in request.queues.iter().enumerate() {
            let (ledger, _) = self.current_ledger(&mut ledgers, &request.group, queue)?;
            let mut views = Vec::new();
            let mut from = 0;
            while seen.len() + views.len() < limit
                && let Some((offset, _)) = ledger.next_returned(from)
            {
                views.extend(self.leased_message(queue, offset)?);
                from = offset + 1;
            }
            let left = limit.saturating_sub(seen.len() + views.len());
            if left > 0 {
                let limits = (u32::try_from(left).unwrap_or(u32::MAX), room);
                let filter = request.filter.as_ref();
                let (fresh, _) = self.read_queue(queue, ledger.cursor(), limits, filter)?;
                let fresh = fresh.into_iter();
                views.extend(fresh.filter(|view| ledger.is_fresh(view.offset.get())));
            }
            for view in views {
                if view.bytes.len() > room && !seen.is_empty() {
                    return Ok(seen);
                }
                room = room.saturating_sub(view.bytes.len());
                seen.push((at, view));
            }
        }
        Ok(seen)
    }
}
