//! Live streams: what they cost while nothing comes, and what each message costs that all are sent.

use super::client::{Client, request};
use super::{BODY_BYTES, Http, Meter};
use anyhow::{Result, anyhow, ensure};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::thread;

/// Enough to read lines.
const STACK_BYTES: usize = 128 << 10;
const TOPIC: &str = "live";

/// Opens them, and sends all of them the same messages.
pub(super) fn run(http: &Http, address: &str, meter: &Meter) -> Result<()> {
    let mut producer = Client::connect(address)?;
    let body = "x".repeat(BODY_BYTES);
    let path = format!("/v1/destinations/{TOPIC}");
    producer.ask(&request(
        "PUT",
        &path,
        "application/json",
        b"{\"partitions\":1}",
    ))?;
    meter.print("before the streams", "")?;
    let open = |number| {
        let path = format!("/v1/subscriptions/live-{number}/stream?source={TOPIC}");
        Client::connect(address)?.stream(&path)
    };
    let streams: Vec<_> = (0..http.streams).map(open).collect::<Result<_>>()?;
    meter.print("idle streams", "")?;
    let message = request(
        "POST",
        &format!("{path}/messages"),
        "text/plain",
        body.as_bytes(),
    );
    meter.measure("streams, each receiving", || {
        let readers: Vec<_> = streams
            .into_iter()
            .map(|stream| {
                let count = http.sent;
                let named = thread::Builder::new().stack_size(STACK_BYTES);
                Ok(named.spawn(move || read(stream, count))?)
            })
            .collect::<Result<_>>()?;
        for _ in 0..http.sent {
            producer.ask(&message)?;
        }
        let mut kept = Vec::with_capacity(readers.len());
        for reader in readers {
            let ended = reader.join();
            kept.push(ended.map_err(|_| anyhow!("a stream's reader panicked"))??);
        }
        // The memory is that of open streams.
        meter.print("streams, having received", "")?;
        Ok(kept.len() * http.sent)
    })
}

/// Reads a stream until it has sent `count` messages.
fn read(mut stream: BufReader<TcpStream>, count: usize) -> Result<BufReader<TcpStream>> {
    let (mut line, mut seen) = (Vec::new(), 0);
    while seen < count {
        line.clear();
        ensure!(stream.read_until(b'\n', &mut line)? > 0, "a stream ended");
        seen += usize::from(line.starts_with(b"data: "));
    }
    Ok(stream)
}
