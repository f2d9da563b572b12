//! Produce: consecutive requests of a connection become one append, each answered on its own.

mod admission;
mod outcome;
mod target;

use super::visible;
use crate::context::RequestContext;
use crate::session::{Closed, Reply};
use crate::wire::produce::{ProduceOutcome, ProduceRequest, encode_response};
use admission::{Producer, admit};
use bytes::Bytes;
use gantry_core::{Durability, Error, ProduceItem, Receipt};
use outcome::{Appended, Partition, Refusal};
use smallvec::SmallVec;
use target::Target;

/// A request and its body, not decoded yet.
pub(crate) type Undecoded = (RequestContext, Bytes);

/// Appends what `requests` hold with one call and pushes their replies in order; a request with
/// `acks=0` gets none.
///
/// # Errors
/// A request that does not decode, or one with `acks=0` that failed. Those before it are
/// appended and answered.
pub(crate) fn answer_all(
    requests: &mut Vec<Undecoded>,
    replies: &mut Vec<Reply>,
) -> Result<(), Closed> {
    let Some(client) = requests.first().map(|(context, _)| context.client.clone()) else {
        return Ok(());
    };
    let mut items = Vec::new();
    let mut admitted = SmallVec::<[Admitted; 4]>::new();
    let mut closed = Ok(());
    for (context, body) in requests.drain(..) {
        let elements_max = context.server.config.request_elements_max;
        match ProduceRequest::decode(&body, context.version, elements_max) {
            Ok(request) => admitted.push(Admitted::new(context, request, &mut items)),
            Err(error) => {
                closed = Err(Closed::Decode(error));
                break;
            }
        }
    }
    let mut receipts = client.produce(items, Durability::Configured).into_iter();
    for request in admitted {
        request.push_reply(&mut receipts, replies)?;
    }
    closed
}

/// A decoded request whose sound batches are among the items to append.
struct Admitted {
    context: RequestContext,
    request: ProduceRequest,
    partitions: SmallVec<[Partition; 8]>,
}

impl Admitted {
    fn new(
        context: RequestContext,
        mut request: ProduceRequest,
        items: &mut Vec<ProduceItem>,
    ) -> Self {
        let mut partitions = SmallVec::with_capacity(request.partitions.len());
        let batch_bytes_max = context.server.config.batch_bytes_max;
        let producer = Producer {
            acks: request.acks,
            is_transactional: request.is_transactional,
        };
        let mut sent = request.partitions.iter_mut();
        for named in &request.topics {
            let topic = visible::by_key(&context.client, &named.key);
            let target = topic.map(|topic| Target::new(topic, batch_bytes_max));
            for partition in sent.by_ref().take(named.partitions) {
                let admission = match &target {
                    Ok(target) => admit(&context, &producer, target, partition, items),
                    Err(error) => Err(Refusal::from(*error)),
                };
                partitions.push(admission.map_or_else(Partition::Refused, |append_time| {
                    Partition::ToAppend { append_time }
                }));
            }
        }
        Self {
            context,
            request,
            partitions,
        }
    }

    fn push_reply(
        self,
        receipts: &mut impl Iterator<Item = Result<Receipt, Error>>,
        replies: &mut Vec<Reply>,
    ) -> Result<(), Closed> {
        let Self {
            context,
            request,
            partitions,
        } = self;
        let appended: SmallVec<[Appended; 8]> = partitions
            .into_iter()
            .map(|partition| partition.appended(receipts))
            .collect();
        if request.acks == 0 {
            return match appended.iter().find_map(Appended::refusal) {
                Some(refusal) => Err(Closed::Unacknowledged(refusal.error.code())),
                None => Ok(()),
            };
        }
        if appended.iter().all(Appended::is_durable) {
            let outcomes: SmallVec<[ProduceOutcome; 8]> =
                appended.into_iter().map(Appended::outcome).collect();
            replies.push(Reply::Ready(encode_response(
                context.correlation_id,
                context.version,
                &request,
                &outcomes,
            )));
            return Ok(());
        }
        replies.push(Reply::Pending(Box::pin(async move {
            let mut outcomes = Vec::with_capacity(appended.len());
            for partition in appended {
                outcomes.push(partition.durable().await.outcome());
            }
            Ok(encode_response(
                context.correlation_id,
                context.version,
                &request,
                &outcomes,
            ))
        })));
        Ok(())
    }
}
