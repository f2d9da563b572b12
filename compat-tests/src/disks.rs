//! Small disks that run full and disks that fail, for tests: mounted for as long as they live.
//! Only root can mount.

use anyhow::{Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether disks can be mounted here. Where not, it is said loudly, and in CI it is an error.
///
/// # Errors
/// They cannot, and this is CI.
pub fn ready() -> Result<bool> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = status
        .lines()
        .any(|line| line.starts_with("Uid:\t0\t") || line.starts_with("Uid:\t0 "));
    if is_root {
        return Ok(true);
    }
    crate::clients::skip("mounting disks needs root")?;
    Ok(false)
}

/// A disk in memory of a few megabytes.
#[derive(Debug)]
pub struct SmallDisk {
    mounted: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `megabytes` at `directory`, which is created.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn mount(directory: &Path, megabytes: u32) -> Result<Self> {
        fs::create_dir_all(directory)?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(directory))?;
        Ok(Self {
            mounted: directory.to_owned(),
        })
    }

    /// Leaves no more room than `left` bytes, by a file that can be removed again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn fill(&self, left: u64) -> Result<PathBuf> {
        let ballast = self.mounted.join("ballast");
        let space = available(&self.mounted)?;
        let length = space.saturating_sub(left).to_string();
        run(Command::new("fallocate")
            .args(["-l", &length])
            .arg(&ballast))?;
        Ok(ballast)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.mounted);
    }
}

/// A file system on a disk whose writes fail once the memory behind it is used up.
#[derive(Debug)]
pub struct FailingDisk {
    mounted: PathBuf,
    image: PathBuf,
    // Unmounted after what is mounted on it.
    memory: SmallDisk,
}

impl FailingDisk {
    /// Mounts one at `directory`; `beside` is where its memory is mounted.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn mount(directory: &Path, beside: &Path, megabytes: u32) -> Result<Self> {
        let memory = SmallDisk::mount(beside, megabytes)?;
        let image = beside.join("image");
        let size = u64::from(megabytes) * (1 << 20) * 3 / 4;
        File::create(&image)?.set_len(size)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        fs::create_dir_all(directory)?;
        mount_image(&image, directory)?;
        Ok(Self {
            mounted: directory.to_owned(),
            image,
            memory,
        })
    }

    /// Mounts it anew, as somebody would who has replaced what failed: the file system may have
    /// taken no more writes since. Nothing may be open on it.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn mount_anew(&self) -> Result<()> {
        run(Command::new("umount").arg(&self.mounted))?;
        mount_image(&self.image, &self.mounted)
    }

    /// From now on what was not written before cannot be written.
    ///
    /// # Errors
    /// The memory cannot be used up.
    pub fn fail(&self) -> Result<PathBuf> {
        self.memory.fill(0)
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        unmount(&self.mounted);
    }
}

fn mount_image(image: &Path, directory: &Path) -> Result<()> {
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(image)
        .arg(directory))?;
    fail_whole_requests(directory)
}

/// Lets a request be of one page: the loop driver takes a longer one for written when its
/// beginning was.
fn fail_whole_requests(mounted: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    let directory = mounted.display().to_string();
    let device = mounts.lines().rev().find_map(|line| {
        let mut fields = line.split(' ');
        let device = fields.next()?.strip_prefix("/dev/")?;
        (fields.next() == Some(&directory)).then_some(device)
    });
    let Some(device) = device else {
        bail!("{directory} is not mounted");
    };
    fs::write(format!("/sys/block/{device}/queue/max_sectors_kb"), "4")?;
    Ok(())
}

fn available(path: &Path) -> Result<u64> {
    let output = Command::new("df")
        .args(["--output=avail", "--block-size=1"])
        .arg(path)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let available = text
        .lines()
        .nth(1)
        .and_then(|line| line.trim().parse().ok());
    match available {
        Some(available) => Ok(available),
        None => bail!("df says {text}"),
    }
}

fn unmount(directory: &Path) {
    // Lazily: a server that is still there is killed a moment later.
    let _ = Command::new("umount").arg("--lazy").arg(directory).status();
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{command:?}: {complaint}");
    }
    Ok(())
}
