//! The acceptance list of AMQP 0-9-1 (`compat_tests::amqp_steps`), step by step and on the wire,
//! against a gantry or, with `cargo xtask test --peer rabbitmq`, against RabbitMQ.

mod broker;
mod client;
mod tenant;
mod wire;

mod channels;
mod consuming;
mod declaring;
mod delaying;
mod expiring;
mod figures;
mod handshake;
mod hostile;
mod limits;
mod permitting;
mod policies;
mod publishing;
mod replying;
mod reserved;
mod restarting;
mod routing;
mod streaming;
mod taking_turns;
