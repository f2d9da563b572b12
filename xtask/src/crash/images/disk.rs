//! A disk in a file, that can be copied in an instant.

use crate::command::{self, on_path};
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes of the file system the disks are files of. Neither file takes more room than what is
/// written into it.
const OUTER_BYTES: u64 = 8 << 30;
/// Bytes of a disk.
const DISK_BYTES: u64 = 3 << 30;

/// Why disks cannot be had here, if they cannot. As root what is missing is installed.
pub(crate) fn obstacle() -> Result<Option<String>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(Some("only root mounts".to_owned()));
    }
    for (program, package) in [("mkfs.xfs", "xfsprogs"), ("mkfs.ext4", "e2fsprogs")] {
        if !on_path(program) && on_path("apt-get") {
            let mut install = Command::new("apt-get");
            install.args(["install", "--quiet", "--yes", "--no-install-recommends"]);
            command::run(install.arg(package).stdout(Stdio::null()))?;
        }
        if !on_path(program) {
            return Ok(Some(format!("there is no {program}")));
        }
    }
    Ok(None)
}

/// A mounted file system; it is unmounted when dropped, its loop device with it.
#[derive(Debug)]
pub(crate) struct Mounted {
    point: PathBuf,
}

impl Mounted {
    /// Mounts the file system in the file `image` at `point`, which is made.
    pub(crate) fn mount(image: &Path, point: &Path) -> Result<Self> {
        fs::create_dir_all(point)?;
        command::run(
            Command::new("mount")
                .args(["-o", "loop"])
                .args([image, point]),
        )?;
        Ok(Self {
            point: point.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.point
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = command::run(Command::new("umount").arg(&self.point));
        if unmounted.is_err() {
            // Whoever is still there lets it go when it ends.
            let _ = command::run(Command::new("umount").arg("--lazy").arg(&self.point));
        }
    }
}

/// A file system whose files are copied by reference.
pub(crate) fn outer(directory: &Path) -> Result<Mounted> {
    let image = directory.join("outer.img");
    sized(&image, OUTER_BYTES)?;
    let mut make = Command::new("mkfs.xfs");
    command::run(make.args(["-q", "-m", "reflink=1"]).arg(&image))?;
    Mounted::mount(&image, &directory.join("outer"))
}

/// A new disk in the file `image`.
pub(crate) fn disk(image: &Path) -> Result<()> {
    sized(image, DISK_BYTES)?;
    command::run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))
}

/// What the disk `image` holds at this moment, as the new disk `copy`.
pub(crate) fn copy(image: &Path, copy: &Path) -> Result<()> {
    command::run(
        Command::new("cp")
            .arg("--reflink=always")
            .args([image, copy]),
    )
}

fn sized(path: &Path, bytes: u64) -> Result<()> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(file.set_len(bytes)?)
}
