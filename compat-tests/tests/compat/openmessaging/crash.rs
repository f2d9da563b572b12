//! `kill -9` while messages are leased over HTTP: what was sent is there, what was leased and not
//! acknowledged comes again, and what was acknowledged does not.

use super::http::Http;
use compat_tests::gantry::Gantry;
use compat_tests::process::{PATIENCE, now};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the server is killed: `GANTRY_HTTP_KILLS`, or else this often.
const KILLS: usize = 3;
/// Acknowledgements between two kills.
const STEPS: usize = 200;
/// How long a received message is its consumer's.
const INVISIBLE: Duration = Duration::from_secs(1);
/// An acknowledgement older than this outlives the server: `leases.persist_interval_ms`, and what
/// writing may take on a busy machine.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(200 + 300);
/// One message of so many is left leased when it comes first.
const LEFT: usize = 3;

/// What the client did or saw; numbers are bodies.
enum Happened {
    Sent(usize),
    /// In the server's n-th life.
    Received(usize, usize),
    /// In the server's n-th life.
    Acknowledged(usize, usize, Instant),
    /// Whether it was is not known: the server ended.
    Asked(usize),
    /// Nothing is left to receive.
    Drained,
}

/// A client who sends and receives, and waits for the server's next life when it ends.
struct Client {
    http: Http,
    life: usize,
    lives: Receiver<Http>,
    happened: Sender<Happened>,
    is_over: Arc<AtomicBool>,
    next: usize,
    left: BTreeSet<usize>,
}

impl Client {
    fn run(mut self) {
        loop {
            match self.work() {
                Ok(true) => return drop(self.happened.send(Happened::Drained)),
                Ok(false) => {}
                Err(_) => match self.lives.recv() {
                    Ok(http) => (self.http, self.life) = (http, self.life + 1),
                    Err(_) => return,
                },
            }
        }
    }

    /// Sends some, receives some and acknowledges most of them; whether there is nothing more.
    fn work(&mut self) -> reqwest::Result<bool> {
        let is_over = self.is_over.load(Ordering::Relaxed);
        if !is_over {
            self.send()?;
        }
        // What was left comes back when its time is over.
        let wait = if is_over {
            3 * INVISIBLE
        } else {
            Duration::ZERO
        };
        let request = json!({
            "source": "t",
            "max": 16,
            "waitMillis": wait.as_millis() as u64,
            "invisibleMillis": INVISIBLE.as_millis() as u64,
        });
        let answer = self
            .http
            .try_post("/v1/subscriptions/c/messages:receive", &request)?;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(is_over);
        }
        let told: Value = answer.json()?;
        let mut numbers = Vec::new();
        let mut handles = Vec::new();
        for message in told["messages"].as_array().unwrap() {
            let number: usize = message["body"].as_str().unwrap().parse().unwrap();
            self.tell(Happened::Received(number, self.life));
            let is_left = number.is_multiple_of(LEFT) && self.left.insert(number);
            if !is_left {
                numbers.push(number);
                handles.push(&message["receiptHandle"]);
            }
        }
        if !numbers.is_empty() {
            self.acknowledge(&numbers, &json!({ "receiptHandles": handles }))?;
        }
        Ok(false)
    }

    fn send(&mut self) -> reqwest::Result<()> {
        let numbers = self.next..self.next + 8;
        self.next = numbers.end;
        let messages = numbers
            .clone()
            .map(|number| json!({ "body": number.to_string() }));
        let messages: Vec<_> = messages.collect();
        let path = "/v1/destinations/t/messages:batch";
        let told: Value = self.http.try_post(path, &json!(messages))?.json()?;
        for (number, item) in numbers.zip(told["items"].as_array().unwrap()) {
            assert_eq!(item["status"], 201, "{item}");
            self.tell(Happened::Sent(number));
        }
        Ok(())
    }

    fn acknowledge(&self, numbers: &[usize], request: &Value) -> reqwest::Result<()> {
        let answer = self
            .http
            .try_post("/v1/subscriptions/c/messages:ack", request);
        let told = answer.and_then(|answer| answer.json::<Value>());
        if told.is_err() {
            numbers
                .iter()
                .for_each(|number| self.tell(Happened::Asked(*number)));
        }
        for (number, item) in numbers.iter().zip(told?["items"].as_array().unwrap()) {
            // Otherwise its time was over, and it comes again.
            if item["status"] == 200 {
                self.tell(Happened::Acknowledged(*number, self.life, now()));
            }
        }
        Ok(())
    }

    fn tell(&self, happened: Happened) {
        let _ = self.happened.send(happened);
    }
}

/// The client at work.
struct Load {
    happened: Receiver<Happened>,
    /// Where the server is in each next life.
    lives: Sender<Http>,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Load {
    fn start(gantry: &Gantry) -> Self {
        let (sender, happened) = channel();
        let (lives, life) = channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let client = Client {
            http: Http::of(gantry),
            life: 0,
            lives: life,
            happened: sender,
            is_over: Arc::clone(&is_over),
            next: 0,
            left: BTreeSet::new(),
        };
        Self {
            happened,
            lives,
            is_over,
            thread: thread::spawn(|| client.run()),
        }
    }

    fn next(&self) -> Happened {
        self.happened
            .recv_timeout(PATIENCE)
            .expect("the load stands")
    }
}

/// What is known of every message.
#[derive(Default)]
struct Ledger {
    sent: BTreeSet<usize>,
    /// The last acknowledgement, with the life it was in.
    acknowledged: BTreeMap<usize, (usize, Instant)>,
    asked: BTreeSet<usize>,
    received: BTreeMap<usize, usize>,
    /// How many came again in another life of the server than that of their first time.
    returned: usize,
    killed: Vec<Instant>,
}

impl Ledger {
    fn enter(&mut self, happened: &Happened) {
        match *happened {
            Happened::Sent(number) => assert!(self.sent.insert(number), "{number} sent twice"),
            Happened::Received(number, life) => {
                self.assert_may_come(number, life);
                let before = self.received.insert(number, life);
                self.returned += usize::from(before.is_some_and(|before| before < life));
            }
            Happened::Acknowledged(number, life, at) => {
                self.acknowledged.insert(number, (life, at));
            }
            Happened::Asked(number) => drop(self.asked.insert(number)),
            Happened::Drained => {}
        }
    }

    /// What was acknowledged comes again only where a crash may have forgotten it.
    fn assert_may_come(&self, number: usize, life: usize) {
        let Some((before, at)) = self.acknowledged.get(&number) else {
            return;
        };
        assert!(*before < life, "{number} came after its acknowledgement");
        let age = self.killed[*before].saturating_duration_since(*at);
        assert!(
            age <= FORGOTTEN_AFTER,
            "{number} came in life {life}, {age:?} after its acknowledgement in life {before}"
        );
    }

    /// Takes part in the load until there was enough in `life`.
    fn follow(&mut self, life: usize, load: &Load) {
        let (began, mut first, mut count) = (now(), None, 0);
        loop {
            assert!(
                began.elapsed() < PATIENCE,
                "life {life}: {count} acknowledged"
            );
            let happened = load.next();
            self.enter(&happened);
            if let Happened::Acknowledged(_, _, at) = happened {
                first.get_or_insert(at);
                count += 1;
            }
            // Some are to be so old that they may not be forgotten.
            let is_old = first.is_some_and(|first| first.elapsed() > 2 * FORGOTTEN_AFTER);
            if is_old && count >= STEPS {
                return;
            }
        }
    }

    fn assert_all_came(&self) {
        let settled =
            |number: &&usize| self.acknowledged.contains_key(number) || self.asked.contains(number);
        let lost: Vec<_> = self.sent.iter().filter(|number| !settled(number)).collect();
        assert!(
            lost.is_empty(),
            "sent or left leased, and not received: {lost:?}"
        );
        assert!(
            self.returned > 0,
            "no lease was left when the server was killed"
        );
    }
}

#[test]
fn what_is_leased_comes_again_after_kill_and_what_is_acknowledged_does_not() {
    let kills = std::env::var("GANTRY_HTTP_KILLS").ok();
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let mut gantry = Gantry::start(&[]).unwrap();
    let load = Load::start(&gantry);
    let mut ledger = Ledger::default();
    for life in 0..kills {
        ledger.follow(life, &load);
        gantry.kill().unwrap();
        ledger.killed.push(now());
        assert!(gantry.restart_with(&[]).unwrap(), "{}", gantry.log());
        load.lives.send(Http::of(&gantry)).unwrap();
    }
    ledger.follow(kills, &load);
    load.is_over.store(true, Ordering::Relaxed);
    loop {
        let happened = load.next();
        ledger.enter(&happened);
        if matches!(happened, Happened::Drained) {
            break;
        }
    }
    load.thread.join().unwrap();
    ledger.assert_all_came();
}
