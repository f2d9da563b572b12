//! Users, and what each may do in which virtual host. Kept in the log as documents of their own;
//! as long as none is kept, they are those of the settings.

mod book;
mod error;
mod limits;
mod password;
mod pattern;
mod rights;
#[cfg(test)]
mod tests;

pub use book::{Account, Permission, TopicPermission, UserLimits, VhostNote};
pub use error::AccountError;
pub use password::{HashAlgorithm, PasswordHash};
pub use rights::{Right, Rights};

use crate::config::Config;
use book::{Book, Entry, Key, document};
use gantry_core::Client;
use gantry_core::vhosts::DEFAULT_VHOST;
use parking_lot::{Mutex, RwLock};
use pattern::Pattern;
use rights::{Granted, expanded};
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Weak};

/// Of all documents of accounts.
const NAMESPACE: &str = "amqp.accounts";
/// Who may do everything in the management API.
pub const ADMINISTRATOR: &str = "administrator";

/// All accounts.
#[derive(Debug)]
pub struct Accounts {
    client: Client,
    book: RwLock<Book>,
    /// Who may not come from another machine.
    local_only: HashSet<Arc<str>>,
    /// Most entries of the book.
    entries_max: usize,
    /// Rights that somebody holds.
    held: Mutex<Vec<Weak<Rights>>>,
}

/// Which keys somebody may use with a topic exchange.
#[derive(Clone, Debug)]
pub struct TopicLimit {
    /// The exchange's.
    pub vhost: Arc<str>,
    /// Who.
    pub user: Arc<str>,
    /// The exchange's name.
    pub exchange: Arc<str>,
    /// Which keys.
    pub permission: TopicPermission,
}

impl Accounts {
    /// Those that are kept, or else those of the settings.
    #[must_use]
    pub fn open(client: Client, config: &Config) -> Self {
        let mut book = Book::load(client.documents(NAMESPACE));
        if !book.is_kept() {
            for user in &config.users {
                let name: Arc<str> = user.name.as_str().into();
                let account = Account {
                    password: hash(&client, user.password.as_bytes()),
                    tags: vec![ADMINISTRATOR.to_owned()],
                };
                let key = Key::Permission(DEFAULT_VHOST.into(), Arc::clone(&name));
                book.0.insert(Key::User(name), Entry::User(account));
                book.0.insert(key, Entry::Permission(Permission::full()));
            }
        }
        let local_only = config.users.iter().filter(|user| !user.remote);
        Self {
            client,
            book: RwLock::new(book),
            local_only: local_only.map(|user| user.name.as_str().into()).collect(),
            entries_max: config.accounts_max,
            held: Mutex::default(),
        }
    }

    /// The user who comes from `ip` with that password, if it may.
    #[must_use]
    pub fn authenticate(&self, name: &str, password: &[u8], ip: IpAddr) -> Option<Account> {
        let known = self.user(name)?;
        (known.password.fits(password) && self.may_come(name, ip)).then_some(known)
    }

    /// Whether there is such a user, and it may come from `ip`.
    #[must_use]
    pub fn admits(&self, name: &str, ip: IpAddr) -> bool {
        self.book.read().user(name).is_some() && self.may_come(name, ip)
    }

    fn may_come(&self, name: &str, ip: IpAddr) -> bool {
        ip.to_canonical().is_loopback() || !self.local_only.contains(name)
    }

    /// The hash of a password, for [`Accounts::put_user`].
    #[must_use]
    pub fn hash(&self, password: &[u8]) -> PasswordHash {
        hash(&self.client, password)
    }

    /// A user.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<Account> {
        self.book.read().user(name).cloned()
    }

    /// All users, by name.
    #[must_use]
    pub fn users(&self) -> Vec<(Arc<str>, Account)> {
        let book = self.book.read();
        let users = book.0.iter().filter_map(|each| match each {
            (Key::User(name), Entry::User(account)) => Some((Arc::clone(name), account.clone())),
            _ => None,
        });
        users.collect()
    }

    /// Makes a user, or changes it; whether it is new.
    ///
    /// # Errors
    /// Too many accounts, or a failed store.
    pub fn put_user(&self, name: &str, account: Account) -> Result<bool, AccountError> {
        self.put(Key::User(name.into()), Entry::User(account))
    }

    /// Deletes a user and what it may; whether it was there.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_user(&self, name: &str) -> Result<bool, AccountError> {
        let is_its = |key: &Key| match key {
            Key::User(user)
            | Key::UserLimits(user)
            | Key::Permission(_, user)
            | Key::TopicPermission(_, user, _) => **user == *name,
            Key::Kept | Key::Vhost(_) => false,
        };
        self.remove(is_its)
    }

    /// What a user may do in a virtual host; `None` is that it may not even open it.
    #[must_use]
    pub fn permission(&self, vhost: &str, user: &str) -> Option<Permission> {
        self.book.read().permission(vhost, user).cloned()
    }

    /// All permissions: virtual host, user, and what it may.
    #[must_use]
    pub fn permissions(&self) -> Vec<(Arc<str>, Arc<str>, Permission)> {
        let book = self.book.read();
        let all = book.0.iter().filter_map(|each| match each {
            (Key::Permission(vhost, user), Entry::Permission(permission)) => {
                let (vhost, user) = (Arc::clone(vhost), Arc::clone(user));
                Some((vhost, user, permission.clone()))
            }
            _ => None,
        });
        all.collect()
    }

    /// Lets a user do something in a virtual host; whether it could do nothing before.
    ///
    /// # Errors
    /// An expression that is none, no such user or virtual host, too many, or a failed store.
    pub fn permit(
        &self,
        vhost: &str,
        user: &str,
        permission: Permission,
    ) -> Result<bool, AccountError> {
        let Permission {
            configure,
            write,
            read,
        } = &permission;
        check(&[configure, write, read])?;
        self.check_names(vhost, user)?;
        let key = Key::Permission(vhost.into(), user.into());
        self.put(key, Entry::Permission(permission))
    }

    /// Lets a user do nothing in a virtual host; whether it could.
    ///
    /// # Errors
    /// A failed store.
    pub fn forbid(&self, vhost: &str, user: &str) -> Result<bool, AccountError> {
        let gone = Key::Permission(vhost.into(), user.into());
        self.remove(|key| *key == gone)
    }

    /// All topic permissions.
    #[must_use]
    pub fn topic_permissions(&self) -> Vec<TopicLimit> {
        let book = self.book.read();
        let all = book.0.iter().filter_map(|each| match each {
            (Key::TopicPermission(vhost, user, exchange), Entry::TopicPermission(permission)) => {
                Some(TopicLimit {
                    vhost: Arc::clone(vhost),
                    user: Arc::clone(user),
                    exchange: Arc::clone(exchange),
                    permission: permission.clone(),
                })
            }
            _ => None,
        });
        all.collect()
    }

    /// Limits the routing keys a user may use with a topic exchange; whether they were not.
    ///
    /// # Errors
    /// As [`Accounts::permit`].
    pub fn permit_topics(
        &self,
        (vhost, user, exchange): (&str, &str, &str),
        permission: TopicPermission,
    ) -> Result<bool, AccountError> {
        check(&[
            &expanded(&permission.write, vhost, user),
            &expanded(&permission.read, vhost, user),
        ])?;
        self.check_names(vhost, user)?;
        let key = Key::TopicPermission(vhost.into(), user.into(), exchange.into());
        self.put(key, Entry::TopicPermission(permission))
    }

    /// Takes those limits back, of one exchange or of all; whether there were any.
    ///
    /// # Errors
    /// A failed store.
    pub fn free_topics(
        &self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Result<bool, AccountError> {
        self.remove(|key| match key {
            Key::TopicPermission(of, by, at) => {
                let is_at = exchange.is_none_or(|exchange| **at == *exchange);
                **of == *vhost && **by == *user && is_at
            }
            _ => false,
        })
    }

    /// What operators say of a virtual host.
    #[must_use]
    pub fn note(&self, vhost: &str) -> VhostNote {
        match self.book.read().0.get(&Key::Vhost(vhost.into())) {
            Some(Entry::Vhost(note)) => note.clone(),
            _ => VhostNote::default(),
        }
    }

    /// Says something of a virtual host.
    ///
    /// # Errors
    /// Too many accounts, or a failed store.
    pub fn put_note(&self, vhost: &str, note: VhostNote) -> Result<(), AccountError> {
        self.put(Key::Vhost(vhost.into()), Entry::Vhost(note))?;
        Ok(())
    }

    /// Nobody may do anything any more in a virtual host that is gone.
    ///
    /// # Errors
    /// A failed store.
    pub fn forget_vhost(&self, vhost: &str) -> Result<(), AccountError> {
        self.remove(|key| match key {
            Key::Permission(of, _) | Key::TopicPermission(of, ..) | Key::Vhost(of) => {
                **of == *vhost
            }
            Key::Kept | Key::User(_) | Key::UserLimits(_) => false,
        })?;
        Ok(())
    }

    /// The rights of a user in a virtual host, if it may open it.
    #[must_use]
    pub fn rights(&self, vhost: &Arc<str>, user: &Arc<str>) -> Option<Arc<Rights>> {
        let book = self.book.read();
        book.permission(vhost, user)?;
        let mut held = self.held.lock();
        let mut live = held.iter().filter_map(Weak::upgrade);
        if let Some(known) = live.find(|one| one.vhost == *vhost && one.user == *user) {
            return Some(known);
        }
        let rights = Arc::new(Rights::new(vhost, user, granted(&book, vhost, user)));
        held.retain(|rights| rights.strong_count() > 0);
        held.push(Arc::downgrade(&rights));
        Some(rights)
    }

    fn check_names(&self, vhost: &str, user: &str) -> Result<(), AccountError> {
        if self.client.virtual_host(vhost).is_none() {
            return Err(AccountError::NoVhost(vhost.to_owned()));
        }
        match self.user(user) {
            Some(_) => Ok(()),
            None => Err(AccountError::NoUser(user.to_owned())),
        }
    }

    fn put(&self, key: Key, entry: Entry) -> Result<bool, AccountError> {
        let mut book = self.book.write();
        let is_new = !book.0.contains_key(&key);
        if is_new && book.0.len() >= self.entries_max {
            return Err(AccountError::TooMany(self.entries_max));
        }
        self.write(&mut book, vec![(key, Some(entry))])?;
        Ok(is_new)
    }

    fn remove(&self, is_gone: impl Fn(&Key) -> bool) -> Result<bool, AccountError> {
        let mut book = self.book.write();
        let gone = book.0.keys().filter(|key| is_gone(key));
        let gone: Vec<_> = gone.map(|key| (key.clone(), None)).collect();
        let is_any = !gone.is_empty();
        if is_any {
            self.write(&mut book, gone)?;
        }
        Ok(is_any)
    }

    /// Keeps changes, with the first of them what the settings said.
    fn write(
        &self,
        book: &mut Book,
        changes: Vec<(Key, Option<Entry>)>,
    ) -> Result<(), AccountError> {
        let mut next = book.clone();
        for (key, entry) in &changes {
            match entry {
                Some(entry) => drop(next.0.insert(key.clone(), entry.clone())),
                None => drop(next.0.remove(key)),
            }
        }
        let documents: Result<Vec<_>, _> = if book.is_kept() {
            let changes = changes.iter();
            changes
                .map(|(key, entry)| document(key, entry.as_ref()))
                .collect()
        } else {
            next.0.insert(Key::Kept, Entry::Kept);
            let all = next.0.iter();
            all.map(|(key, entry)| document(key, Some(entry))).collect()
        };
        let documents = documents.map_err(|error| AccountError::Form(error.to_string()))?;
        self.client.put_documents(NAMESPACE, documents)?;
        *book = next;
        for rights in self.held.lock().iter().filter_map(Weak::upgrade) {
            rights.replace(granted(book, &rights.vhost, &rights.user));
        }
        Ok(())
    }
}

fn granted(book: &Book, vhost: &str, user: &str) -> Granted {
    match book.permission(vhost, user) {
        Some(permission) => {
            let topics = book.topic_permissions(vhost, user);
            Granted::of((vhost, user), permission, topics)
        }
        None => Granted::nothing(),
    }
}

fn hash(client: &Client, password: &[u8]) -> PasswordHash {
    let [a, b, c, d, ..] = client.unique_id();
    PasswordHash::new(password, [a, b, c, d])
}

fn check(patterns: &[&String]) -> Result<(), AccountError> {
    for text in patterns {
        Pattern::new(text).map_err(|error| AccountError::Pattern {
            text: (*text).clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}
