//! One run: lives of a broker, one after the other, all chosen by the seed.

use crate::checks::Verdict;
use crate::faults::Stop;
use crate::world::World;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Lines of the trace that are shown with what was found.
const SHOWN: usize = 600;

/// Runs a seed; the trace's hash, or what was found.
pub fn run(seed: u64) -> Result<u64, String> {
    let mut world = World::new(seed);
    let verdict = catch_unwind(AssertUnwindSafe(|| live(&mut world))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    verdict.map(|()| world.trace.hash).map_err(|found| {
        let shown = world.trace.lines.len().saturating_sub(SHOWN);
        format!(
            "{}\nseed {seed}: {found}\nGANTRY_SIM_SEED={seed} cargo test -p gantry-core --test simulation one_seed",
            world.trace.lines[shown..].join("\n"),
        )
    })
}

fn live(world: &mut World) -> Verdict {
    world.restart(Stop::Kill)?;
    let lives = 4 + world.random.below(8);
    // Where all records have one size, what a cut left behind is met again after a few.
    let (lives, least, more) = if world.is_uniform {
        (2 * lives, 1, 10)
    } else {
        (lives, 5, 50)
    };
    for _ in 0..lives {
        for _ in 0..2 {
            world.create_topic()?;
        }
        if world.may_lose_power() {
            world.plan_trouble()?;
        } else if world.random.chance(20) {
            world.fill_disk()?;
        }
        for _ in 0..least + world.random.below(more) {
            world.operate()?;
            if world.is_tight && world.random.chance(20) {
                world.free_disk()?;
            }
            if (world.has_failed || world.vfs.is_off()) && world.random.chance(30) {
                break;
            }
        }
        let stop = match world.random.below(10) {
            _ if world.vfs.is_off() => Stop::PowerCut,
            0..4 if world.may_lose_power() => Stop::PowerCut,
            4..7 => Stop::Kill,
            _ => Stop::Clean,
        };
        if !world.may_lose_power() {
            for _ in 0..world.random.below(3) {
                world.damage()?;
                world.damage_derived();
            }
        }
        world.restart(stop)?;
    }
    Ok(())
}
