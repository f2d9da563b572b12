//! Limits that both sides agree on.

use crate::codec::FrameMax;
use crate::codec::method::connection::{Tune, TuneOk};
use std::time::Duration;

/// What the server offers; its most, but for the heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Highest number of a channel, 1 or more.
    pub channel_max: u16,
    /// Longest frame.
    pub frame_max: FrameMax,
    /// Interval of heartbeats in seconds; 0 is none.
    pub heartbeat: u16,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            channel_max: 2047,
            frame_max: FrameMax::OFFERED,
            heartbeat: 60,
        }
    }
}

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuned {
    /// Highest number of a channel.
    pub channel_max: u16,
    /// Longest frame.
    pub frame_max: FrameMax,
    /// Interval of heartbeats.
    pub heartbeat: Option<Duration>,
}

impl Offer {
    pub(super) const fn tune(&self) -> Tune {
        Tune {
            channel_max: self.channel_max,
            frame_max: self.frame_max.bytes(),
            heartbeat: self.heartbeat,
        }
    }

    /// What a client's answer comes to, or RabbitMQ's words against it. 0 asks for no limit, which
    /// is more than is offered; any heartbeat is taken.
    pub(super) fn agree(&self, answer: &TuneOk) -> Result<Tuned, String> {
        judge(
            "channel_max",
            answer.channel_max.into(),
            1,
            self.channel_max.into(),
        )?;
        let least = FrameMax::LEAST.bytes();
        judge("frame_max", answer.frame_max, least, self.frame_max.bytes())?;
        let seconds = u64::from(answer.heartbeat);
        Ok(Tuned {
            channel_max: answer.channel_max,
            frame_max: FrameMax::new(answer.frame_max),
            heartbeat: (seconds > 0).then(|| Duration::from_secs(seconds)),
        })
    }
}

fn judge(name: &str, asked: u32, least: u32, most: u32) -> Result<(), String> {
    let (how, which, limit) = match asked {
        0 => ("higher", "maximum", most),
        low if low < least => ("lower", "minimum", least),
        high if high > most => ("higher", "maximum", most),
        _ => return Ok(()),
    };
    Err(format!(
        "negotiated {name} = {asked} is {how} than the {which} allowed value ({limit})"
    ))
}
