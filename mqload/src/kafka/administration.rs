use super::ProducerIdentity;
use super::connection::{Connection, topic_name};
use crate::target::Target;
use anyhow::{Context as _, Result, bail, ensure};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{CreateTopicsRequest, DeleteTopicsRequest, InitProducerIdRequest};

const CREATE_TOPICS: i16 = 5;
const DELETE_TOPICS: i16 = 3;
const INIT_PRODUCER_ID: i16 = 4;
const TOPIC_ALREADY_EXISTS: i16 = 36;

/// Creates the topic with one replica; one that is there already stays as it is.
pub(crate) async fn create_topic(target: &Target) -> Result<()> {
    let mut connection = Connection::open(&target.address).await?;
    let topic = CreatableTopic::default()
        .with_name(topic_name(&target.topic))
        .with_num_partitions(i32::try_from(target.queues)?)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default()
        .with_topics(vec![topic])
        .with_timeout_ms(30_000);
    let answer = connection.ask(CREATE_TOPICS, &request).await?;
    let created = answer.topics.first().context("no topic in the answer")?;
    match created.error_code {
        0 | TOPIC_ALREADY_EXISTS => Ok(()),
        code => bail!("{}: error {code}", target.topic),
    }
}

/// Deletes the topic.
pub(crate) async fn delete_topic(target: &Target) -> Result<()> {
    let mut connection = Connection::open(&target.address).await?;
    let request = DeleteTopicsRequest::default()
        .with_topic_names(vec![topic_name(&target.topic)])
        .with_timeout_ms(30_000);
    let answer = connection.ask(DELETE_TOPICS, &request).await?;
    let deleted = answer.responses.first().context("no topic in the answer")?;
    let code = deleted.error_code;
    ensure!(code == 0, "{}: error {code}", target.topic);
    Ok(())
}

/// A new identity for an idempotent producer.
pub(crate) async fn producer_identity(leader: &str) -> Result<ProducerIdentity> {
    let mut connection = Connection::open(leader).await?;
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000);
    let answer = connection.ask(INIT_PRODUCER_ID, &request).await?;
    ensure!(
        answer.error_code == 0,
        "no producer id: error {}",
        answer.error_code
    );
    Ok(ProducerIdentity {
        id: answer.producer_id.0,
        epoch: answer.producer_epoch,
    })
}
