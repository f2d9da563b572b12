//! Real clients of every ecosystem against a running gantry: one binary, one gantry a test.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "tests"
)]

mod amqp;
mod amqp_steps;
mod bare;
mod command_line;
mod compression;
mod conversion;
mod crash;
mod failures;
mod http_client;
mod import_rocketmq;
mod kafka_clients;
mod kafka_groups;
mod kafka_later;
mod large_log;
mod librdkafka;
mod many_topics;
mod matrix;
mod mqadmin;
mod mqload;
mod name_servers;
mod one_offset;
mod openmessaging;
mod rabbitmq_http_client;
mod rabbitmqadmin;
mod rocketmq_clients;
mod rocketmq_filters;
mod rocketmq_groups;
mod rocketmq_later;
mod rocketmq_orderly;
mod rocketmq_pop;
mod rocketmq_signatures;
mod rocketmq_transactions;
mod samples;
mod tls;
mod verbatim;
