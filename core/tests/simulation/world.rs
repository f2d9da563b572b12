//! A broker on a simulated disk, with all that is known of it.

use crate::checks::{Verdict, ensure};
use crate::ledger::{Fact, Ledger, Produced, Uuid};
use gantry_core::model::{Clock, ManualClock, Timestamp};
use gantry_core::vfs::Vfs;
use gantry_core::vfs::simulated::{Random, SimVfs};
use gantry_core::{Broker, Client, Config, Error, Receipt, Steps, StoreHealth};
use parking_lot::Mutex;
use std::path::Path;
use std::sync::Arc;

pub const DIRECTORY: &str = "/data/gantry";

/// Time and chance of one run.
#[derive(Debug)]
pub struct SimClock {
    time: ManualClock,
    ids: Mutex<(Random, Uuid)>,
}

impl SimClock {
    pub fn new(seed: u64) -> Self {
        Self {
            time: ManualClock::at(Timestamp::from_millis(1_700_000_000_000)),
            ids: Mutex::new((Random::new(seed), [0; 16])),
        }
    }

    pub fn advance(&self, millis: i64) {
        self.time.advance(millis);
    }

    /// The id given last.
    pub fn last_id(&self) -> Uuid {
        self.ids.lock().1
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn unique_id(&self) -> Uuid {
        let mut ids = self.ids.lock();
        let (high, low) = (ids.0.next(), ids.0.next());
        ids.1 = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        ids.1
    }
}

/// What a run is made of.
pub struct World {
    pub seed: u64,
    pub vfs: SimVfs,
    pub clock: Arc<SimClock>,
    pub config: Config,
    pub random: Random,
    pub ledger: Ledger,
    pub session: Option<Session>,
    pub trace: Trace,
    /// Numbers of bodies, so that no two are the same.
    pub bodies: u64,
    /// All records have one size: where one was lost another fits exactly.
    pub is_uniform: bool,
    /// The disk may be full.
    pub is_tight: bool,
    /// A fault was planned since the last restart.
    pub has_fault: bool,
    /// A write or a flush failed since the last restart.
    pub has_failed: bool,
}

/// An open broker.
pub struct Session {
    pub broker: Broker,
    pub client: Client,
    pub steps: Steps,
    /// Producers that wait for a flush, and what must be flushed for them.
    pub waiting: Vec<(Receipt, u64)>,
}

/// What happened, as lines, and as a hash.
#[derive(Default)]
pub struct Trace {
    pub lines: Vec<String>,
    pub hash: u64,
}

impl Trace {
    pub fn note(&mut self, line: String) {
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        self.lines.push(line);
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut config = Config::default();
        let larger = [0, random.below(13)][random.below(2) as usize];
        config.store.segment_bytes = (16 + 4 * larger) << 10;
        // The model forgets nothing but deleted topics, whose segments the store reclaims.
        config.store.retention_ms = 0;
        config.store.disk_force_clean_percent = 0;
        config.store.disk_read_only_percent = 0;
        // Short enough to come due within a run.
        config.store.snapshot_interval_ms = if seed.is_multiple_of(3) { 500 } else { 600_000 };
        config.store.stretch_bytes = (4 + 2 * random.below(7)) << 10;
        Self {
            seed,
            vfs: SimVfs::new(random.next()),
            clock: Arc::new(SimClock::new(random.next())),
            config,
            random,
            ledger: Ledger::default(),
            session: None,
            trace: Trace::default(),
            bodies: 0,
            is_uniform: seed % 5 == 1,
            is_tight: false,
            has_fault: false,
            has_failed: false,
        }
    }

    pub fn open_on(&self, vfs: &SimVfs) -> Result<(Broker, Steps), Error> {
        let vfs: Arc<dyn Vfs> = Arc::new(vfs.clone());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Broker::open_stepped(vfs, Path::new(DIRECTORY), self.config.clone(), clock)
    }

    pub fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    pub fn client(&self) -> Client {
        self.session.as_ref().unwrap().client.clone()
    }

    pub fn end(&self) -> u64 {
        self.client().log_range().end.get()
    }

    /// Whether a call may fail so, as things are.
    pub fn check_allowed(&self, error: &Error) -> Verdict {
        let is_allowed = match error {
            Error::DiskFull => self.is_tight,
            Error::Storage(_) => self.vfs.is_off() || self.has_fault,
            _ => false,
        };
        ensure!(is_allowed, "an error without a reason: {error}");
        Ok(())
    }

    /// After each operation: whether the store failed, and who was acknowledged.
    pub fn look(&mut self) -> Verdict {
        let had_failed = self.has_failed;
        let session = self.session.as_mut().unwrap();
        self.has_failed = matches!(session.broker.health(), StoreHealth::Failed(_));
        ensure!(
            self.has_failed || !had_failed,
            "the store forgot that it failed"
        );
        let mut waiting = std::mem::take(&mut session.waiting);
        let mut verdict = Ok(());
        waiting.retain_mut(|(receipt, end)| match receipt.poll_durable() {
            None => true,
            Some(Ok(())) => {
                if had_failed {
                    verdict = Err("an acknowledgement after a failure".to_owned());
                }
                self.ledger.promised = self.ledger.promised.max(*end);
                false
            }
            Some(Err(error)) => {
                if !self.has_failed {
                    verdict = Err(format!("a flush failed without a reason: {error}"));
                }
                false
            }
        });
        self.session().waiting = waiting;
        verdict
    }

    /// Enters a fact whose record ends where the log ends now.
    pub fn settle<T>(
        &mut self,
        fact: Fact,
        outcome: Result<T, Error>,
    ) -> Result<Option<T>, String> {
        match outcome {
            Ok(value) => {
                ensure!(!self.has_failed, "accepted after a failure: {fact:?}");
                let position = self.end() - 1;
                self.ledger.record(position, fact);
                Ok(Some(value))
            }
            Err(error) => {
                self.refused(vec![fact], &error)?;
                Ok(None)
            }
        }
    }

    /// A call failed: what it wrote may be found after a restart if the store failed with it.
    pub fn refused(&mut self, facts: Vec<Fact>, error: &Error) -> Verdict {
        self.check_allowed(error)?;
        let health = self.session().broker.health();
        if matches!(health, StoreHealth::Failed(_)) && !self.has_failed {
            self.ledger.maybe = facts;
        }
        Ok(())
    }

    /// Gives a record that is about to be entered its offsets.
    pub fn placed(&self, mut produced: Produced) -> Produced {
        let model = &self.ledger.model;
        produced.base = model.end(&produced.topic, produced.queue);
        if let Some((topic, _, base)) = &mut produced.also {
            *base = model.end(topic, 0);
        }
        produced
    }
}
