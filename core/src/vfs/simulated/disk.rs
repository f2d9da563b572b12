//! Names and files, each as the process sees them and as the disk has them.

use super::file::{Content, Fate};
use super::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// A file, whatever its name.
pub(super) type Inode = u64;

/// All files of a machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<Inode, Content>,
    names: BTreeMap<PathBuf, Inode>,
    durable_names: BTreeMap<PathBuf, Inode>,
    /// Changes of names that no sync of their directory has made durable, in order.
    changes: Vec<Change>,
    directories: BTreeSet<PathBuf>,
}

#[derive(Clone, Debug)]
enum Change {
    Named(PathBuf, Inode),
    Renamed(PathBuf, Inode),
    Removed(PathBuf, Inode),
}

impl Change {
    fn path(&self) -> &Path {
        match self {
            Self::Named(path, _) | Self::Renamed(path, _) | Self::Removed(path, _) => path,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Inode>) {
        match self {
            Self::Named(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Renamed(to, file) => {
                // A file has one name.
                names.retain(|_, other| other != file);
                names.insert(to.clone(), *file);
            }
            Self::Removed(path, file) => {
                if names.get(path) == Some(file) {
                    names.remove(path);
                }
            }
        }
    }
}

impl Disk {
    /// Directories are durable once they are made: `Vfs` promises so.
    pub(super) fn create_directories(&mut self, path: &Path) {
        let all = path.ancestors().map(Path::to_owned);
        self.directories.extend(all);
    }

    pub(super) fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.check_directory(directory)?;
        let here = |path: &&PathBuf| path.parent() == Some(directory);
        Ok(self.names.keys().filter(here).cloned().collect())
    }

    /// The file of that name, emptied, or a new one.
    pub(super) fn create(&mut self, path: &Path) -> io::Result<Inode> {
        self.check_directory(path.parent().unwrap_or(path))?;
        if let Some(file) = self.names.get(path).copied() {
            self.file(file)?.truncate();
            return Ok(file);
        }
        let file = self.files.last_key_value().map_or(0, |(last, _)| last + 1);
        self.files.insert(file, Content::default());
        self.change(Change::Named(path.to_owned(), file));
        Ok(file)
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        let found = self.names.get(path).copied();
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn file(&mut self, file: Inode) -> io::Result<&mut Content> {
        let found = self.files.get_mut(&file);
        found.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.find(from)?;
        self.change(Change::Renamed(to.to_owned(), file));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let file = self.find(path)?;
        self.change(Change::Removed(path.to_owned(), file));
        Ok(())
    }

    pub(super) fn sync_directory(&mut self, directory: &Path) -> io::Result<()> {
        self.check_directory(directory)?;
        let durable = &mut self.durable_names;
        self.changes.retain(|change| {
            let is_here = change.path().parent() == Some(directory);
            if is_here {
                change.apply(durable);
            }
            !is_here
        });
        Ok(())
    }

    /// Bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        let files = self.names.values().filter_map(|file| self.files.get(file));
        files.map(|file| file.length() as u64).sum()
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.keys().cloned().collect()
    }

    /// The disk as it is found after a power cut.
    pub(super) fn survive(&self, random: &mut Random) -> Self {
        let fate = Fate::draw(random);
        let mut names = self.durable_names.clone();
        for change in &self.changes {
            if random.chance(fate.names) {
                change.apply(&mut names);
            }
        }
        let mut left = Self {
            directories: self.directories.clone(),
            ..Self::default()
        };
        for (path, file) in names {
            let Some(content) = self.files.get(&file) else {
                continue;
            };
            let content = Content::durable(content.survive(fate, random));
            left.files.insert(file, content);
            left.names.insert(path.clone(), file);
            left.durable_names.insert(path, file);
        }
        left
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.changes.push(change);
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        if self.directories.contains(path) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }
}
