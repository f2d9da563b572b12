//! What all connections of the endpoint share.

use crate::accounts::{AccountError, Accounts};
use crate::alarms::{Alarms, Memory, MemoryUse};
use crate::config::Config;
use crate::consuming::Replies;
use crate::control::{Certificate, Credentials, Settings};
use crate::ledger::Ledger;
use crate::parameters::Parameters;
use crate::publishing::AmqpQueueProtocol;
use crate::registry::Registry;
use crate::topology::Churn;
use gantry_core::Client;
use gantry_core::model::{Clock, Timestamp};
use gantry_core::vhosts::TopologyError;
use std::net::IpAddr;
use std::sync::Arc;

/// The AMQP endpoint.
#[derive(Debug)]
pub struct Server {
    pub(crate) client: Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) config: Config,
    pub(crate) replies: Arc<Replies>,
    pub(crate) accounts: Accounts,
    parameters: Parameters,
    pub(crate) registry: Arc<Registry>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) churn: Arc<Churn>,
    /// How many queues there were at the start.
    first_queues: u64,
    memory: Memory,
}

/// Queues that came and went since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueChurn {
    /// Asked for, by whatever was known of them.
    pub declared: u64,
    /// That were new.
    pub created: u64,
    /// That are gone.
    pub deleted: u64,
}

impl Server {
    /// An endpoint over `client`'s broker.
    #[must_use]
    pub fn new(client: Client, config: Config, clock: Arc<dyn Clock>) -> Arc<Self> {
        client.set_queue_protocol(Arc::new(AmqpQueueProtocol::new(client.clone())));
        let ledger = Arc::new(Ledger::of(config.ignored_names_max));
        Arc::new(Self {
            settings: config.settings(),
            accounts: Accounts::open(client.clone(), &config),
            parameters: Parameters::new(client.clone(), Arc::clone(&ledger), &config),
            ledger,
            clock,
            config,
            replies: Arc::default(),
            registry: Arc::default(),
            churn: Arc::default(),
            first_queues: queue_count(&client),
            client,
            memory: Memory::default(),
        })
    }

    /// What the broker is called.
    #[must_use]
    pub fn cluster_name(&self) -> String {
        let own = || self.settings.profile.cluster_name.clone();
        self.parameters.cluster_name().unwrap_or_else(own)
    }

    /// What a new connection is greeted with.
    pub(crate) fn greeting(&self) -> Arc<Settings> {
        let Some(cluster_name) = self.parameters.cluster_name() else {
            return Arc::clone(&self.settings);
        };
        let mut settings = Settings::clone(&self.settings);
        settings.profile.cluster_name = cluster_name;
        Arc::new(settings)
    }

    /// Looks after queues whose messages expire, or that do. Never returns; to be run once, on
    /// any runtime, as long as connections are served.
    pub async fn run_queues(&self) {
        self.client.run_work_queues().await;
    }

    /// What the process uses of the machine's memory; to be told every now and then.
    pub fn note_memory(&self, usage: MemoryUse) {
        self.memory.note(usage);
    }

    /// As it was last told.
    #[must_use]
    pub fn memory(&self) -> MemoryUse {
        self.memory.usage()
    }

    /// What publishers wait for the end of.
    #[must_use]
    pub fn alarms(&self) -> Alarms {
        Alarms {
            memory: self.memory.is_high(),
            disk: !self.client.admits_messages(),
        }
    }

    /// Who may connect, and do what.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// What operators set at run time.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Who is connected.
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// How long an acknowledgement of a queue's messages may take, in milliseconds; 0 is for ever.
    #[must_use]
    pub fn consumer_timeout_ms(&self, vhost: &str, queue: &str) -> u64 {
        let host = self.client.virtual_host(vhost);
        let queue = host.and_then(|host| host.queue(queue));
        let own = queue.and_then(|queue| queue.rules().consumer_timeout_ms);
        own.unwrap_or(self.config.consumer_timeout_ms)
    }

    /// Queues that came and went.
    #[must_use]
    pub fn queue_churn(&self) -> QueueChurn {
        let created = self.churn.created();
        let there = queue_count(&self.client);
        QueueChurn {
            declared: self.churn.declared(),
            created,
            deleted: (self.first_queues + created).saturating_sub(there),
        }
    }

    /// What was asked for without effect.
    #[must_use]
    pub const fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The broker, as whom it is asked.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The time, as the endpoint takes it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The endpoint's settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Deletes a user and closes its connections; whether it was there.
    ///
    /// # Errors
    /// A failed store.
    pub fn delete_user(&self, name: &str) -> Result<bool, AccountError> {
        let was_there = self.accounts.delete_user(name)?;
        let reason = format!("user '{name}' is deleted");
        self.registry
            .close_all(&reason, |connection| *connection.user == *name);
        Ok(was_there)
    }

    /// Deletes a virtual host with all that is in it, and closes its connections; whether it was
    /// there.
    ///
    /// # Errors
    /// It is the default one, or a failed store.
    pub fn delete_vhost(&self, name: &str) -> Result<bool, AccountError> {
        let deleted = self.client.delete_virtual_host(name);
        let was_there = deleted.map_err(|error| match error {
            TopologyError::Store(error) => error,
            other => gantry_core::Error::Internal(other.to_string()),
        })?;
        self.accounts.forget_vhost(name)?;
        let reason = format!("vhost '{name}' is down");
        self.registry
            .close_all(&reason, |connection| *connection.vhost == *name);
        Ok(was_there)
    }

    /// The name of the user that somebody is who connects from `ip`, when they may.
    pub(crate) fn authenticate(
        &self,
        credentials: &Credentials,
        certificate: Option<&Certificate>,
        ip: IpAddr,
    ) -> Option<Arc<str>> {
        match credentials {
            Credentials::Password { user, password } => {
                let known = self.accounts.authenticate(user, password, ip);
                known.map(|_| user.as_str().into())
            }
            Credentials::External => {
                let user = certificate?.login(self.config.certificate_login_from)?;
                self.accounts.admits(user, ip).then(|| user.into())
            }
        }
    }
}

fn queue_count(client: &Client) -> u64 {
    let hosts = client.virtual_hosts();
    hosts.iter().map(|host| host.queues().len() as u64).sum()
}
