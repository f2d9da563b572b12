//! What disks and the people around them do.

use crate::checks::{self, Verdict, ensure};
use crate::ledger::{Fact, Stored};
use crate::world::{DIRECTORY, Session, World};
use gantry_core::StoreHealth;
use gantry_core::vfs::simulated::{Call, Effect, Fault};
use std::path::{Path, PathBuf};

/// How a broker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Clean,
    Kill,
    PowerCut,
}

impl World {
    /// Plans what goes wrong in the life that begins.
    pub fn plan_trouble(&mut self) -> Verdict {
        match self.random.below(10) {
            0..3 => {
                let after = self.random.below(150);
                self.trace
                    .note(format!("the power goes after {after} calls"));
                self.vfs.cut_power_after(after);
            }
            3..6 => self.plan_fault(),
            6 => return self.fill_disk(),
            _ => {}
        }
        Ok(())
    }

    fn plan_fault(&mut self) {
        let (call, range) = match self.random.below(8) {
            0..3 => (Some(Call::Sync), 10),
            3 => (Some(Call::Write), 40),
            4 => (Some(Call::SyncDirectory), 8),
            5 => (Some(Call::Create), 8),
            6 => (Some(Call::Rename), 8),
            _ => (None, 120),
        };
        let effects = [
            Effect::Failed,
            Effect::Partial,
            Effect::Forgetful,
            Effect::NoSpace,
        ];
        let effect = match call {
            Some(Call::Sync) => Effect::Forgetful,
            _ => effects[self.random.below(4) as usize],
        };
        let fault = Fault {
            call,
            after: self.random.below(range),
            effect,
        };
        self.trace.note(format!("{fault:?}"));
        self.vfs.plan(fault);
        self.has_fault = true;
        self.is_tight |= effect == Effect::NoSpace;
    }

    pub fn fill_disk(&mut self) -> Verdict {
        let segments = self.random.below(3);
        let left = self
            .random
            .below(segments * self.config.store.segment_bytes);
        self.trace.note(format!("the disk has room for {left}"));
        self.vfs.set_capacity(Some(self.vfs.used() + left));
        self.is_tight = true;
        // A record that fits no segment's rest meets the full disk before small ones do.
        if self.random.chance(50) {
            self.produce_large()?;
            self.look()?;
        }
        Ok(())
    }

    /// There is room again: what was refused must be taken, without a restart.
    pub fn free_disk(&mut self) -> Verdict {
        self.trace.note("there is room".to_owned());
        self.vfs.set_capacity(None);
        if self.has_fault || self.vfs.is_off() {
            return Ok(());
        }
        self.keep()?;
        self.is_tight = false;
        let health = self.session().broker.health();
        ensure!(
            health == StoreHealth::Healthy,
            "with room the store is {health:?}"
        );
        for _ in 0..3 {
            self.operate()?;
        }
        Ok(())
    }

    /// Ends the broker and starts it again, and holds what is found against the ledger.
    pub fn restart(&mut self, stop: Stop) -> Verdict {
        let appended = self.session.as_ref().map_or(0, |_| self.end());
        if stop == Stop::Clean {
            self.shut_down()?;
        }
        self.trace.note(format!("{stop:?} at {appended}"));
        self.session = None;
        self.vfs.forget_faults();
        self.vfs.set_capacity(None);
        (self.has_fault, self.is_tight, self.has_failed) = (false, false, false);
        if stop == Stop::PowerCut {
            self.vfs = self.vfs.power_on(self.random.next());
        }
        let mut promised = self.ledger.promised;
        // A kill keeps what only the page cache has.
        if self.open()? && stop != Stop::PowerCut {
            promised = promised.max(appended);
        }
        let end = self.end();
        self.trace.note(format!("found up to {end}"));
        ensure!(
            end >= promised,
            "the log ends at {end}, {promised} was promised"
        );
        self.compare(end)
    }

    fn shut_down(&mut self) -> Verdict {
        let session = self.session();
        let outcome = session.broker.shutdown();
        session.steps.keep();
        match outcome {
            Ok(()) => {
                ensure!(!self.has_failed, "a clean end after a failure");
                self.ledger.promised = self.ledger.promised.max(self.end());
            }
            Err(error) => self.check_allowed(&error)?,
        }
        self.look()
    }

    /// `false` when the power went meanwhile.
    fn open(&mut self) -> Result<bool, String> {
        let mut had_power = true;
        loop {
            if self.may_lose_power() {
                match self.random.below(10) {
                    0 => self.vfs.cut_power_after(self.random.below(40)),
                    1 => self.vfs.plan(Fault {
                        call: None,
                        after: self.random.below(40),
                        effect: Effect::Failed,
                    }),
                    _ => {}
                }
            }
            let is_planned = self.vfs.has_faults();
            let opened = self.open_on(&self.vfs);
            let was_hit = is_planned && !self.vfs.has_faults();
            self.vfs.forget_faults();
            if self.vfs.is_off() {
                self.trace.note("the power goes while opening".to_owned());
                drop(opened);
                self.vfs = self.vfs.power_on(self.random.next());
                had_power = false;
                continue;
            }
            match opened {
                Ok((broker, steps)) => {
                    let client = broker.anonymous();
                    let waiting = Vec::new();
                    self.session = Some(Session {
                        broker,
                        client,
                        steps,
                        waiting,
                    });
                    return Ok(had_power);
                }
                Err(error) => {
                    self.trace.note(format!("opening failed: {error}"));
                    ensure!(was_hit, "opening failed without a reason: {error}");
                }
            }
        }
    }

    /// In a run with damage the flush mark must be the newest: it is not synced by itself.
    pub const fn may_lose_power(&self) -> bool {
        self.seed % 4 != 3
    }

    /// Finds out which of the records in doubt are there, and compares everything.
    fn compare(&mut self, end: u64) -> Verdict {
        self.ledger.cut(end);
        let maybe = std::mem::take(&mut self.ledger.maybe);
        let kept = self.ledger.clone();
        let mut verdict = Ok(());
        for chosen in 0..1_u32 << maybe.len() {
            let facts = (0..).zip(&maybe).filter(|(bit, _)| chosen >> bit & 1 == 1);
            let adopted = facts
                .map(|(_, fact)| fact.clone())
                .try_for_each(|fact| self.adopt(fact, end));
            let client = self.client();
            let found = adopted.and_then(|()| {
                checks::everything(&client, &self.ledger.model, &self.ledger.damaged)
            });
            if found.is_ok() {
                return self.compare_without_derived(end);
            }
            if chosen == 0 {
                verdict = found;
            }
            self.ledger = kept.clone();
        }
        verdict
    }

    fn adopt(&mut self, fact: Fact, end: u64) -> Verdict {
        let Fact::Produced(produced) = fact else {
            self.ledger.record(end - 1, fact);
            return Ok(());
        };
        let topic = self.ledger.model.topics.get(&produced.topic);
        if topic.is_none_or(|topic| topic.uuid != produced.uuid) {
            return Err("no such topic".to_owned());
        }
        let produced = self.placed(produced);
        let client = self.client();
        let topic = client.topic(&produced.topic).ok_or("no such topic")?;
        let fetched = checks::fetch(&client, &topic, produced.queue, produced.base);
        let fetched = fetched.map_err(|error| error.to_string())?;
        let record = fetched.records.first().ok_or("no such record")?;
        self.ledger
            .record(record.position.get(), Fact::Produced(produced));
        Ok(())
    }

    /// Index files and snapshots can be made again from the log.
    fn compare_without_derived(&mut self, end: u64) -> Verdict {
        if self.random.chance(50) {
            return Ok(());
        }
        let copy = self.vfs.copy();
        for derived in ["index", "state"] {
            copy.clear_directory(&Path::new(DIRECTORY).join(derived));
        }
        let (broker, _steps) = self
            .open_on(&copy)
            .map_err(|error| format!("rebuilding: {error}"))?;
        let client = broker.anonymous();
        let rebuilt = client.log_range().end.get();
        ensure!(
            rebuilt == end,
            "the rebuilt log ends at {rebuilt}, not at {end}"
        );
        checks::everything(&client, &self.ledger.model, &self.ledger.damaged)
            .map_err(|text| format!("rebuilt: {text}"))
    }

    /// Flips a bit of a snapshot or an index file: nothing of it may be believed.
    pub fn damage_derived(&mut self) {
        let mut paths = self.vfs.paths();
        paths.retain(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("snapshot" | "index"))
        });
        let index = self.random.below(paths.len() as u64) as usize;
        if let Some(path) = paths.get(index) {
            self.trace.note(format!("damage {}", path.display()));
            self.vfs.flip_any_bit(path).unwrap();
        }
    }

    /// Flips a bit of a flushed record, after a clean end or a kill.
    pub fn damage(&mut self) -> Verdict {
        let promised = self.ledger.promised;
        let topics = self.ledger.model.topics.iter();
        let queues = topics
            .flat_map(|(name, topic)| (0..).zip(&topic.queues).map(move |queue| (name, queue)));
        // The last of a queue keeps its offset only if its head is whole.
        let records = queues.flat_map(|(name, (queue, stored))| {
            let stored = stored.iter().take(stored.len().saturating_sub(1));
            stored.map(move |stored: &Stored| (name.clone(), queue, stored.clone()))
        });
        let records: Vec<(String, u32, Stored)> = records
            .filter(|(_, _, stored)| !stored.is_special && stored.position < promised)
            .filter(|(_, _, stored)| !self.ledger.damaged.contains(&stored.position))
            .collect();
        let index = self.random.below(records.len() as u64) as usize;
        let Some((name, queue, stored)) = records.get(index) else {
            return Ok(());
        };
        let client = self.client();
        let topic = client.topic(name).ok_or("a topic is gone")?;
        let fetched = checks::fetch(&client, &topic, *queue, stored.base);
        let fetched = fetched.map_err(|error| error.to_string())?;
        let record = fetched.records.first().ok_or("no record")?;
        // It may have been copied forward since it was stored.
        let position = record.position.get();
        let at = position + self.random.below(record.bytes.len() as u64);
        let bit = self.random.below(8) as u8;
        self.trace.note(format!(
            "damage {name} {queue} offset {} at {} + {}",
            stored.base,
            position,
            at - position
        ));
        let segment = self.segment_of(at);
        let base: u64 = segment
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        self.vfs.flip_bit(&segment, at - base, bit).unwrap();
        self.ledger.damaged.insert(stored.position);
        Ok(())
    }

    fn segment_of(&self, position: u64) -> PathBuf {
        let directory = Path::new(DIRECTORY).join("commitlog");
        let name = directory.join(format!("{position:020}"));
        let mut paths = self.vfs.paths();
        paths.retain(|path| path.parent() == Some(&directory) && *path <= name);
        paths.pop().unwrap()
    }
}
