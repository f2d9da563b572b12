//! Kafka spoken over a bare socket, where a client would hide the bytes or take too long.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

const CHECKSUM: std::ops::Range<usize> = 17..21;
const CHECKED: usize = CHECKSUM.end;

/// A batch of one record whose value has this many bytes.
pub fn batch_of(value_bytes: usize) -> Vec<u8> {
    let mut record = vec![0]; // attributes
    put_number(&mut record, 0); // timestamp delta
    put_number(&mut record, 0); // offset delta
    put_number(&mut record, -1); // no key
    put_number(&mut record, value_bytes as i64);
    record.resize(record.len() + value_bytes, b'v');
    put_number(&mut record, 0); // headers
    let mut records = Vec::new();
    put_number(&mut records, record.len() as i64);
    records.extend(record);

    let mut batch = vec![0; 8]; // base offset
    batch.extend((49 + records.len() as i32).to_be_bytes());
    batch.extend((-1_i32).to_be_bytes()); // leader epoch
    batch.push(2); // magic
    batch.extend([0; 4]); // checksum
    batch.extend([0; 2]); // attributes
    batch.extend([0; 4]); // last offset delta
    batch.extend(1_700_000_000_000_i64.to_be_bytes());
    batch.extend(1_700_000_000_000_i64.to_be_bytes());
    batch.extend((-1_i64).to_be_bytes()); // producer
    batch.extend((-1_i16).to_be_bytes());
    batch.extend((-1_i32).to_be_bytes());
    batch.extend(1_i32.to_be_bytes());
    batch.extend(records);
    let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[CHECKED..]);
    batch[CHECKSUM].copy_from_slice(&(checksum as u32).to_be_bytes());
    batch
}

fn put_number(into: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

/// Produce v7; the error code and base offset of the answer.
pub fn produce(socket: &mut TcpStream, topic: &str, batch: &[u8]) -> (i16, i64) {
    let mut body = Vec::new();
    body.extend((-1_i16).to_be_bytes()); // no transaction
    body.extend((-1_i16).to_be_bytes()); // acks: all
    body.extend(30_000_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    put_text(&mut body, topic);
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes()); // partition
    body.extend((batch.len() as i32).to_be_bytes());
    body.extend(batch);
    let answer = call(socket, 0, 7, &body);
    let at = 4 + 2 + topic.len() + 4 + 4;
    let code = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
    let offset = i64::from_be_bytes(answer[at + 2..at + 10].try_into().unwrap());
    (code, offset)
}

/// Fetch v4 from `offset`; the records of the answer.
pub fn fetch(socket: &mut TcpStream, topic: &str, offset: i64) -> Vec<u8> {
    let (code, records) = fetch_any(socket, topic, offset);
    assert_eq!(code, 0, "no error");
    records
}

/// Fetch v4 from `offset`; the error code of the answer.
pub fn fetch_code(socket: &mut TcpStream, topic: &str, offset: i64) -> i16 {
    fetch_any(socket, topic, offset).0
}

fn fetch_any(socket: &mut TcpStream, topic: &str, offset: i64) -> (i16, Vec<u8>) {
    let mut body = Vec::new();
    body.extend((-1_i32).to_be_bytes()); // no replica
    body.extend(1_000_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(1_000_000_i32.to_be_bytes());
    body.push(0);
    body.extend(1_i32.to_be_bytes());
    put_text(&mut body, topic);
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend(offset.to_be_bytes());
    body.extend(1_000_000_i32.to_be_bytes());
    let answer = call(socket, 1, 4, &body);
    // Throttle time, topics, name, partitions, partition, error, high watermark, stable offset.
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    let code = i16::from_be_bytes(answer[at..at + 2].try_into().unwrap());
    let aborted = at + 2 + 8 + 8;
    let count = i32::from_be_bytes(answer[aborted..aborted + 4].try_into().unwrap());
    assert!(count <= 0, "no aborted transactions");
    let length = aborted + 4;
    let bytes = i32::from_be_bytes(answer[length..length + 4].try_into().unwrap());
    let records = answer[length + 4..].get(..bytes.max(0) as usize);
    (code, records.unwrap_or_default().to_vec())
}

/// A request with header version 1; the answer behind its correlation id.
fn call(socket: &mut TcpStream, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(7_i32.to_be_bytes());
    put_text(&mut request, "bare");
    request.extend(body);
    let length = (request.len() as i32).to_be_bytes();
    socket.write_all(&[&length[..], &request].concat()).unwrap();
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    socket.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..4], 7_i32.to_be_bytes());
    answer.split_off(4)
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as i16).to_be_bytes());
    into.extend(text.as_bytes());
}
