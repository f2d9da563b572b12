//! Frames of our own.

use super::arguments::Writer;
use super::frame::{BODY, FRAME_END, FRAME_OVERHEAD_BYTES, FrameMax, HEADER, METHOD};
use super::method::{Method, basic};
use super::{MethodId, Properties};
use crate::Output;
use bytes::{BufMut, Bytes, BytesMut};

/// The class of every content.
pub(super) const CONTENT_CLASS: u16 = 60;

/// Bytes of a content header before the properties: class, weight, body size.
pub(super) const CONTENT_HEADER_BYTES: usize = 12;

/// A method that content follows.
#[derive(Clone, Copy, Debug)]
pub enum ContentMethod<'a> {
    /// To a consumer.
    Deliver(&'a basic::Deliver),
    /// To who asked for one message.
    GetOk(&'a basic::GetOk),
    /// Back to its publisher.
    Return(&'a basic::Return),
    /// To a server.
    Publish(&'a basic::Publish),
}

/// A message's properties do not fit in one frame of this connection; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("properties of {bytes} bytes do not fit into a frame of {bytes_max}")]
pub struct PropertiesTooLong {
    /// Bytes of the properties.
    pub bytes: usize,
    /// Bytes of the longest frame.
    pub bytes_max: u32,
}

/// Writes a method and its content: the properties as they stand, and the body in as many frames
/// as the limit asks for, without copying what is long. A body without bytes has no frame.
///
/// # Errors
/// The properties are longer than the limit: RabbitMQ sends them all the same.
pub fn write_content(
    channel: u16,
    limit: FrameMax,
    method: ContentMethod<'_>,
    properties: &Properties,
    body: &Bytes,
    out: &mut impl Output,
) -> Result<(), PropertiesTooLong> {
    let head = out.head();
    let payload_bytes = limit.payload_bytes() as usize;
    if CONTENT_HEADER_BYTES + properties.raw().len() > payload_bytes {
        return Err(PropertiesTooLong {
            bytes: properties.raw().len(),
            bytes_max: limit.bytes(),
        });
    }
    match method {
        ContentMethod::Deliver(method) => method_frame(channel, method, head),
        ContentMethod::GetOk(method) => method_frame(channel, method, head),
        ContentMethod::Return(method) => method_frame(channel, method, head),
        ContentMethod::Publish(method) => method_frame(channel, method, head),
    }
    header_frame(channel, properties, body.len() as u64, head);
    let mut start = 0;
    while start < body.len() {
        let end = body.len().min(start + payload_bytes);
        put_prefix(BODY, channel, end - start, out.head());
        out.push(body.slice(start..end));
        out.head().put_u8(FRAME_END);
        start = end;
    }
    Ok(())
}

pub(super) fn method_frame<M: Method>(channel: u16, method: &M, out: &mut BytesMut) {
    let at = out.len();
    put_prefix(METHOD, channel, 0, out);
    let MethodId { class, method: id } = M::ID;
    out.put_u16(class);
    out.put_u16(id);
    method.write(&mut Writer::new(out));
    let bytes = out.len() - at - (FRAME_OVERHEAD_BYTES as usize - 1);
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    if let Some(length) = out.get_mut(at + 3..).and_then(<[u8]>::first_chunk_mut) {
        *length = bytes;
    }
    out.put_u8(FRAME_END);
}

fn header_frame(channel: u16, properties: &Properties, body_bytes: u64, out: &mut BytesMut) {
    let properties = properties.raw();
    put_prefix(
        HEADER,
        channel,
        CONTENT_HEADER_BYTES + properties.len(),
        out,
    );
    out.put_u16(CONTENT_CLASS);
    out.put_u16(0);
    out.put_u64(body_bytes);
    out.put_slice(properties);
    out.put_u8(FRAME_END);
}

fn put_prefix(kind: u8, channel: u16, payload_bytes: usize, out: &mut BytesMut) {
    debug_assert!(u32::try_from(payload_bytes).is_ok(), "limits are below");
    let payload_bytes = u32::try_from(payload_bytes).unwrap_or(u32::MAX);
    let [channel_high, channel_low] = channel.to_be_bytes();
    let [l3, l2, l1, l0] = payload_bytes.to_be_bytes();
    out.put_slice(&[kind, channel_high, channel_low, l3, l2, l1, l0]);
}
