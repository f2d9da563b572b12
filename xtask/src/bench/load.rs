//! Loads of the benches that are not the stock tools'.

use anyhow::{Context as _, Result};
use mqload::{Delay, Figures, Load, LoadConfig, Sink, Target};
use std::time::Duration;

/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Produces one message and waits for its acknowledgement.
pub(crate) fn one(target: &Target) -> Result<()> {
    one_later(target, Delay::default())
}

/// As [`one`], and the broker is to hold it back.
pub(crate) fn one_later(target: &Target, delay: Delay) -> Result<()> {
    let config = LoadConfig {
        in_flight: 1,
        delay,
        ..LoadConfig::new(target.clone())
    };
    some(config, 1, PATIENCE)?;
    Ok(())
}

/// Runs a load until `messages` are acknowledged.
pub(crate) fn some(config: LoadConfig, messages: u64, patience: Duration) -> Result<Figures> {
    let load = Load::start(config, Sink::Memory)?;
    let waited = load.wait_for(messages, patience);
    let figures = load.stop()?.figures;
    waited.with_context(|| figures.to_string())?;
    Ok(figures)
}
