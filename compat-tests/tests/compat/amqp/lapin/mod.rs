//! lapin, which does what the client programs do: commands in, events out, line by line.

mod commands;
mod tables;

use commands::Commands;
use compat_tests::lines::Event;
use compat_tests::process::{PATIENCE, now};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A client on a runtime of its own.
pub struct Lapin {
    runtime: Runtime,
    commands: UnboundedSender<String>,
    events: Receiver<String>,
}

impl Lapin {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (commands, mut lines) = unbounded_channel::<String>();
        let (told, events) = channel();
        runtime.spawn(async move {
            let mut client = Commands::new(Teller(told));
            while let Some(line) = lines.recv().await {
                client.run(line.trim_end()).await;
            }
        });
        Self {
            runtime,
            commands,
            events,
        }
    }

    pub fn write(&self, line: &str) {
        self.commands.send(line.to_owned()).unwrap();
    }

    pub fn next_event(&mut self) -> Event {
        let event = self.event_within(PATIENCE);
        event.expect("lapin is silent")
    }

    pub fn event_within(&mut self, time: Duration) -> Option<Event> {
        let deadline = now() + time;
        let left = deadline.saturating_duration_since(now());
        match self.events.recv_timeout(left) {
            Ok(line) => Some(Event::parse(&line).unwrap()),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("lapin ended"),
        }
    }

    /// Takes its sockets away from it.
    pub fn kill(self) {
        self.runtime.shutdown_background();
    }
}

/// Tells events.
#[derive(Clone)]
struct Teller(Sender<String>);

impl Teller {
    fn tell(&self, event: &serde_json::Value) {
        // After the end of a test nobody hears it.
        let _ = self.0.send(event.to_string());
    }
}
