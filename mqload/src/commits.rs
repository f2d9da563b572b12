//! A consumer group's offsets, committed and looked at while the broker is under load.

use crate::ledger::{Commit, CommitStep, Heading, Ledger, Outcome, Recorder, Sink};
use crate::target::{Protocol, Target};
use crate::{clock, kafka, rocketmq};
use anyhow::{Result, anyhow};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::watch;

/// After a connection failed.
const PAUSE: Duration = Duration::from_millis(20);

/// A committer on a thread of its own. Queue by queue it commits one more than the time before,
/// then asks what is committed; on a new connection it first asks for all queues.
#[derive(Debug)]
pub struct Commits {
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<Ledger>>,
}

impl Commits {
    /// Starts to commit for `group`, one step each `interval`. The group should be new: offsets
    /// start at 1.
    ///
    /// # Errors
    /// The ledger cannot be written, or there is no thread to be had.
    pub fn start(target: Target, group: &str, interval: Duration, sink: Sink) -> Result<Self> {
        let heading = Heading {
            clock: clock::id(),
            is_idempotent: false,
            delay_ms: 0,
            is_transactional: false,
            topic: target.topic.clone(),
            group: group.to_owned(),
        };
        let recorder = Recorder::start(sink, &heading)?;
        let (stop, stopped) = watch::channel(false);
        let mut run = Run {
            next: vec![0; usize::try_from(target.queues)?],
            target,
            group: group.to_owned(),
            interval,
            recorder,
            stopped,
        };
        let runtime = crate::alone()?;
        let thread = thread::Builder::new().name("commits".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(run.run());
            run.recorder.finish()
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends the committer after its step; its ledger.
    ///
    /// # Errors
    /// The ledger could not be written.
    pub fn stop(self) -> Result<Ledger> {
        self.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the committer died"))?
    }
}

/// What `group` has committed, of each queue of `target`: looks to go behind those of its
/// committer's ledger, once that has ended.
///
/// # Errors
/// The broker cannot be reached, or refuses.
pub fn committed(target: &Target, group: &str) -> Result<Vec<Commit>> {
    crate::alone()?.block_on(async {
        let mut committer = Committer::open(target, group).await?;
        let mut commits = Vec::new();
        for queue in target.queue_numbers() {
            let invoked_ns = clock::now();
            commits.push(Commit {
                step: CommitStep::Read,
                outcome: Outcome::Stored,
                queue,
                offset: committer.committed(queue).await?,
                invoked_ns,
                settled_ns: clock::now(),
            });
        }
        Ok(commits)
    })
}

struct Run {
    target: Target,
    group: String,
    interval: Duration,
    recorder: Recorder,
    stopped: watch::Receiver<bool>,
    /// By queue, what was committed last.
    next: Vec<i64>,
}

enum Committer {
    Kafka(kafka::Committer),
    Rocketmq(rocketmq::Committer),
}

impl Run {
    async fn run(&mut self) {
        while !*self.stopped.borrow() {
            // What went wrong is in the ledger; the broker may be down for a while.
            if let Ok(committer) = Committer::open(&self.target, &self.group).await {
                let _ = self.steps(committer).await;
            }
            self.pause(PAUSE).await;
        }
    }

    async fn steps(&mut self, mut committer: Committer) -> Result<()> {
        // The broker may have been down: a new commit would hide one it has forgotten.
        for queue in self.target.queue_numbers() {
            self.look(&mut committer, queue).await?;
        }
        for queue in (0..self.target.queues).cycle() {
            if *self.stopped.borrow() {
                break;
            }
            let at = usize::try_from(queue)?;
            let Some(next) = self.next.get_mut(at) else {
                break;
            };
            *next += 1;
            let offset = *next;
            let invoked_ns = clock::now();
            let answer = committer.commit(queue, offset).await;
            let outcome = match answer {
                Ok(0) => Outcome::Stored,
                // No error of either protocol says for sure that it was not.
                Ok(_) | Err(_) => Outcome::Unknown,
            };
            self.enter(CommitStep::Written, outcome, queue, offset, invoked_ns);
            answer?;
            self.look(&mut committer, queue).await?;
            self.pause(self.interval).await;
        }
        Ok(())
    }

    async fn look(&mut self, committer: &mut Committer, queue: u32) -> Result<()> {
        let invoked_ns = clock::now();
        let answer = committer.committed(queue).await;
        let (outcome, offset) = match &answer {
            Ok(offset) => (Outcome::Stored, *offset),
            Err(_) => (Outcome::Unknown, -1),
        };
        self.enter(CommitStep::Read, outcome, queue, offset, invoked_ns);
        answer.map(|_| ())
    }

    fn enter(
        &mut self,
        step: CommitStep,
        outcome: Outcome,
        queue: u32,
        offset: i64,
        invoked_ns: u64,
    ) {
        self.recorder.commit(&Commit {
            step,
            outcome,
            queue,
            offset,
            invoked_ns,
            settled_ns: clock::now(),
        });
    }

    async fn pause(&mut self, length: Duration) {
        let stopped = self.stopped.wait_for(|stopped| *stopped);
        let _ = tokio::time::timeout(length, stopped).await;
    }
}

impl Committer {
    async fn open(target: &Target, group: &str) -> Result<Self> {
        Ok(match target.protocol {
            Protocol::Kafka => Self::Kafka(kafka::Committer::open(target, group).await?),
            Protocol::Rocketmq => Self::Rocketmq(rocketmq::Committer::open(target, group).await?),
        })
    }

    async fn commit(&mut self, queue: u32, offset: i64) -> Result<i32> {
        match self {
            Self::Kafka(committer) => committer.commit(queue, offset).await,
            Self::Rocketmq(committer) => committer.commit(queue, offset).await,
        }
    }

    async fn committed(&mut self, queue: u32) -> Result<i64> {
        match self {
            Self::Kafka(committer) => committer.committed(queue).await,
            Self::Rocketmq(committer) => committer.committed(queue).await,
        }
    }
}
