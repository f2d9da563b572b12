//! Packages of the distribution, unpacked below a folder: nothing of the machine's own changes.

use crate::command::{output, run};
use anyhow::{Context as _, Result, ensure};
use compat_tests::rabbitmq_broker::erlang;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that are unpacked, by the beginning of their names; what else they depend on is
/// libraries that every machine has.
const PARTS: &[&str] = &["erlang-", "rabbitmq-server"];

/// Unpacks RabbitMQ and its Erlang into `directory`.
pub(super) fn rabbitmq(directory: &Path) -> Result<()> {
    let apt = Apt::new(directory.join("apt"))?;
    let packages = directory.join("packages");
    fs::create_dir_all(&packages)?;
    let names = apt.with_dependencies("rabbitmq-server")?;
    let names = names
        .iter()
        .filter(|name| PARTS.iter().any(|part| name.starts_with(part)));
    run(apt
        .command("apt-get")
        .args(["--quiet", "--quiet", "download"])
        .args(names)
        .current_dir(&packages))?;
    for package in fs::read_dir(&packages)? {
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .arg(package?.path())
            .arg(directory))?;
    }
    fs::remove_dir_all(&packages)?;
    fs::remove_dir_all(&apt.folder)?;
    write_erl(directory)
}

/// An `erl` that knows where it is: the distribution's names the place it is installed in.
fn write_erl(directory: &Path) -> Result<()> {
    let programs = erlang(directory)?;
    let programs = programs.strip_prefix(directory)?.display();
    let script = format!(
        "#!/bin/sh
root=\"$(cd \"$(dirname \"$0\")/..\" && pwd)\"
export ROOTDIR=\"$root/usr/lib/erlang\" BINDIR=\"$root/{programs}\" EMU=beam PROGNAME=erl
exec \"$BINDIR/erlexec\" \"$@\"
"
    );
    let file = directory.join("bin/erl");
    fs::create_dir_all(directory.join("bin"))?;
    fs::write(&file, script)?;
    Ok(fs::set_permissions(
        &file,
        fs::Permissions::from_mode(0o755),
    )?)
}

/// The machine's package sources, with lists of their own.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(folder: PathBuf) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        // No package is installed as far as it knows.
        fs::write(folder.join("status"), "")?;
        let apt = Self { folder };
        let update = run(apt
            .command("apt-get")
            .args(["--quiet", "--quiet", "update"]));
        if let Err(error) = update {
            // Perhaps only a source that has nothing to do with it.
            eprintln!("{error}");
        }
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (option, path) in [
            ("Dir::State", ""),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
        ] {
            let path = self.folder.join(path);
            command
                .arg("-o")
                .arg(format!("{option}={}", path.display()));
        }
        command.args(["-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]);
        command
    }

    /// The name of a package and those of all it depends on.
    fn with_dependencies(&self, package: &str) -> Result<Vec<String>> {
        let mut depends = self.command("apt-cache");
        depends.args(["depends", "--recurse"]);
        for kind in [
            "recommends",
            "suggests",
            "conflicts",
            "breaks",
            "replaces",
            "enhances",
        ] {
            depends.arg(format!("--no-{kind}"));
        }
        let listing = output(depends.arg(package))
            .with_context(|| format!("no package {package}: this is no Debian"))?;
        let is_name = |line: &&str| !line.starts_with([' ', '<', '|']);
        let names: Vec<String> = listing.lines().filter(is_name).map(str::to_owned).collect();
        ensure!(!names.is_empty(), "no package {package}");
        Ok(names)
    }
}
