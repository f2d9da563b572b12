//! What all producers of a load write into: the ledger and the figures.

use super::figures::{Figures, Quantiles, histogram};
use super::{Finished, Flight};
use crate::clock;
use crate::ledger::{Entry, Heading, Outcome, Recorder, Sink};
use anyhow::Result;
use hdrhistogram::Histogram;
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug)]
pub(super) struct Book {
    recorder: Recorder,
    acknowledged: watch::Sender<u64>,
    /// From the time a message should have been sent to its acknowledgement.
    latency: Histogram<u64>,
    /// From the time a request should have been sent to when it was.
    lag: Histogram<u64>,
    stored: u64,
    failed: u64,
    unknown: u64,
    overdue: u64,
    retries: u64,
    connects: u64,
    last_ack_ns: u64,
    error: Option<String>,
}

impl Book {
    pub(super) fn start(
        sink: Sink,
        heading: &Heading,
        acknowledged: watch::Sender<u64>,
    ) -> Result<Self> {
        Ok(Self {
            recorder: Recorder::start(sink, heading)?,
            acknowledged,
            latency: histogram()?,
            lag: histogram()?,
            stored: 0,
            failed: 0,
            unknown: 0,
            overdue: 0,
            retries: 0,
            connects: 0,
            last_ack_ns: 0,
            error: None,
        })
    }

    pub(super) fn connected(&mut self) {
        self.connects += 1;
    }

    /// Notes the last thing that went wrong, for people.
    pub(super) fn went_wrong(&mut self, error: String) {
        self.error = Some(error);
    }

    pub(super) fn sent(&mut self, flight: &Flight) {
        if flight.attempts > 1 {
            self.retries += 1;
        } else {
            let lag = flight.invoked_ns.saturating_sub(flight.intended_ns);
            self.lag.saturating_record(lag);
        }
    }

    /// Messages that were due and not sent when the load was stopped.
    pub(super) fn overdue(&mut self, messages: u64) {
        self.overdue += messages;
    }

    /// Enters the messages of `flight`, the first of them at `offset` if they are stored.
    pub(super) fn settle(&mut self, flight: &Flight, outcome: Outcome, offset: i64, at_ns: u64) {
        let count = u64::from(flight.count);
        match outcome {
            Outcome::Stored => {
                self.stored += count;
                self.last_ack_ns = at_ns;
                self.acknowledged.send_modify(|sum| *sum += count);
                let latency = at_ns.saturating_sub(flight.intended_ns);
                self.latency.saturating_record_n(latency, count);
            }
            Outcome::Failed => self.failed += count,
            Outcome::Unknown => self.unknown += count,
        }
        for ((id, crc), delta) in flight.ids().zip(&flight.crcs).zip(0..) {
            self.recorder.entry(&Entry {
                id,
                intended_ns: flight.intended_ns,
                invoked_ns: flight.invoked_ns,
                settled_ns: at_ns,
                outcome,
                attempts: flight.attempts,
                queue: flight.queue,
                offset: if outcome == Outcome::Stored {
                    offset.saturating_add(delta)
                } else {
                    -1
                },
                crc: *crc,
            });
        }
    }

    pub(super) fn finish(self, start_ns: u64, cpu: Duration) -> Result<Finished> {
        let end_ns = self.last_ack_ns.max(start_ns);
        let figures = Figures {
            elapsed: Duration::from_nanos(end_ns.saturating_sub(start_ns)),
            stopped_after: Duration::from_nanos(clock::now().saturating_sub(start_ns)),
            stored: self.stored,
            failed: self.failed,
            unknown: self.unknown,
            overdue: self.overdue,
            retries: self.retries,
            connects: self.connects,
            cpu,
            latency: Quantiles::of(&self.latency),
            lag: Quantiles::of(&self.lag),
            last_error: self.error,
        };
        let ledger = self.recorder.finish()?;
        Ok(Finished { ledger, figures })
    }
}
