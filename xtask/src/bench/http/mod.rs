//! `cargo xtask bench http`: OpenMessaging's requests, and very many live streams.

mod client;
mod streams;

use super::process::{cpu_seconds, status_mib};
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use client::{Client, request};
use compat_tests::gantry::Gantry;
use compat_tests::process::now;
use std::thread;
use std::time::Duration;

const BODY_BYTES: usize = 1_024;
const MICROS_A_SECOND: f64 = 1e6;
const JSON: &str = "application/json";
const HANDLE: &[u8] = br#""receiptHandle":""#;

#[derive(Debug, Args)]
pub(crate) struct Http {
    /// Connections that ask, each one request after the other.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// How long each workload takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Messages of a batch, and of one `receive`.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Live streams, of a consumer each.
    #[arg(long, default_value_t = 1_000)]
    streams: usize,
    /// Messages that each of them is sent.
    #[arg(long, default_value_t = 500)]
    sent: usize,
}

/// Runs one workload after the other.
pub(crate) fn run(http: &Http) -> Result<()> {
    super::build()?;
    let gantry = Gantry::start_as_shipped(&[
        "store.disk_force_clean_percent=0",
        "store.disk_read_only_percent=0",
    ])?;
    let (address, pid) = (gantry.endpoint("openmessaging")?, gantry.pid()?);
    let meter = Meter { pid };
    println!(
        "{:<24} {:>12} {:>10} {:>9} {:>9}",
        "workload", "messages/s", "CPU us", "RSS MiB", "anon MiB"
    );
    let body = "x".repeat(BODY_BYTES);
    let single = request(
        "POST",
        "/v1/destinations/single/messages",
        "text/plain",
        body.as_bytes(),
    );
    meter.measure("single produce", || {
        http.each(&address, |client| {
            client.ask(&single)?;
            Ok(1)
        })
    })?;
    let line = format!("{{\"body\":\"{body}\"}}\n");
    let batch = request(
        "POST",
        "/v1/destinations/batch/messages:batch",
        "application/x-ndjson",
        line.repeat(http.batch).as_bytes(),
    );
    meter.measure("batch produce", || {
        http.each(&address, |client| {
            client.ask(&batch)?;
            Ok(http.batch)
        })
    })?;
    let wanted = format!("{{\"source\":\"batch\",\"max\":{}}}", http.batch);
    let path = "/v1/subscriptions/bench/messages:";
    let receive = request("POST", &format!("{path}receive"), JSON, wanted.as_bytes());
    meter.measure("receive and acknowledge", || {
        http.each(&address, |client| {
            let handles = handles(&client.ask(&receive)?)?;
            if handles.is_empty() {
                return Ok(0);
            }
            let acks = format!("{{\"receiptHandles\":[{}]}}", handles.join(","));
            client.ask(&request(
                "POST",
                &format!("{path}ack"),
                JSON,
                acks.as_bytes(),
            ))?;
            Ok(handles.len())
        })
    })?;
    streams::run(http, &address, &meter)
}

impl Http {
    /// Messages that `act` moved in the time there is, on every connection.
    fn each(
        &self,
        address: &str,
        act: impl Fn(&mut Client) -> Result<usize> + Sync,
    ) -> Result<usize> {
        let deadline = now() + Duration::from_secs(self.seconds);
        let act = &act;
        thread::scope(|scope| {
            let work = || {
                let mut client = Client::connect(address)?;
                let mut count = 0;
                while now() < deadline {
                    count += act(&mut client)?;
                }
                Ok::<_, anyhow::Error>(count)
            };
            let workers: Vec<_> = (0..self.connections).map(|_| scope.spawn(work)).collect();
            let counts = workers.into_iter().map(|worker| {
                let ended = worker.join();
                ended.map_err(|_| anyhow!("a connection panicked"))?
            });
            counts.sum()
        })
    }
}

/// The quoted receipt handles of an answer.
fn handles(answer: &[u8]) -> Result<Vec<String>> {
    let text = std::str::from_utf8(answer)?;
    let mark = std::str::from_utf8(HANDLE)?;
    let found = text.split(mark).skip(1).map(|rest| {
        let (handle, _) = rest.split_once('"').context("an odd handle")?;
        Ok(format!("\"{handle}\""))
    });
    found.collect()
}

/// What the server uses.
struct Meter {
    pid: u32,
}

impl Meter {
    /// Prints what `workload` cost, which tells how many messages it moved.
    fn measure(&self, name: &str, workload: impl FnOnce() -> Result<usize>) -> Result<()> {
        let (began, cpu) = (now(), cpu_seconds(self.pid)?);
        let messages = workload()?;
        let (elapsed, cpu) = (began.elapsed(), cpu_seconds(self.pid)? - cpu);
        let messages = u32::try_from(messages.max(1)).map(f64::from)?;
        let rate = messages / elapsed.as_secs_f64();
        let each = cpu * MICROS_A_SECOND / messages;
        self.print(name, &format!("{rate:>12.0} {each:>10.2}"))
    }

    /// Prints what the server's memory is.
    fn print(&self, name: &str, figures: &str) -> Result<()> {
        println!(
            "{name:<24} {figures:>23} {:>9.1} {:>9.1}",
            status_mib(self.pid, "VmRSS:")?,
            status_mib(self.pid, "RssAnon:")?,
        );
        Ok(())
    }
}
