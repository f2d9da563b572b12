//! Stock AMQP 0-9-1 clients against a running gantry. What they are to do is written once, for
//! whatever client: each is a program that does what it is told a line at a time
//! (`clients/README.md`), and lapin is one in this process.

mod alarms;
mod celery;
mod clients;
mod crash;
mod fed;
mod interop;
mod lapin;
mod moves;
mod secured;
pub mod session;
mod spring;
mod streams;
mod tutorials;
