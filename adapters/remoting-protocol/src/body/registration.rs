//! What a broker has, as it registers it: JSON, or a zlib stream of pieces.
//!
//! ```text
//!  | len: i32 | DataVersion JSON | topics: i32 | len: i32 | topic text | ...
//!  | len: i32 | filter servers JSON | mappings: i32 | len: i32 | mapping JSON | ...    (5.x)
//! ```
//!
//! A topic's text is `name readQueues writeQueues perm filterType [attributes JSON]`.

use super::topic::{DataVersion, TopicConfig};
use super::{BodyError, TopicQueueMapping, decode};
use flate2::bufread::ZlibDecoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;

/// Largest item of a compressed registration in bytes; a stock broker's are below one KiB.
const PIECE_BYTES_MAX: u64 = 1 << 20;

/// The JSON body of `REGISTER_BROKER` (103).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RegisterBrokerBody {
    /// Long obsolete.
    pub filter_server_list: Vec<String>,
    /// The topics. Before 3.0.11 it was the whole body.
    pub topic_config_serialize_wrapper: Option<TopicConfigWrapper>,
}

/// A broker's topics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TopicConfigWrapper {
    /// Changes with every topic.
    pub data_version: DataVersion,
    /// By name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
    /// 5.x: static topics, by topic.
    pub topic_queue_mapping_info_map: BTreeMap<String, TopicQueueMapping>,
}

/// What either form says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// How new it is.
    pub data_version: DataVersion,
    /// By name; all of the broker's topics or some.
    pub topics: BTreeMap<String, TopicConfig>,
    /// Static topics, by topic.
    pub mappings: BTreeMap<String, TopicQueueMapping>,
}

impl From<TopicConfigWrapper> for Registration {
    fn from(wrapper: TopicConfigWrapper) -> Self {
        Self {
            data_version: wrapper.data_version,
            topics: wrapper.topic_config_table,
            mappings: wrapper.topic_queue_mapping_info_map,
        }
    }
}

/// The checksum of a registration's body as it is sent: CRC-32 without its sign, as `UtilAll.crc32`
/// makes it.
#[must_use]
pub fn registration_crc(body: &[u8]) -> i32 {
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body) & 0x7FFF_FFFF;
    i32::try_from(crc).unwrap_or(i32::MAX)
}

/// Reads a JSON body of any version; an empty one says nothing of topics.
///
/// # Errors
/// As [`decode`].
pub fn decode_registration(body: &[u8]) -> Result<Registration, BodyError> {
    if body.is_empty() {
        return Ok(Registration::default());
    }
    let current: RegisterBrokerBody = decode(body)?;
    match current.topic_config_serialize_wrapper {
        Some(wrapper) => Ok(wrapper.into()),
        None => decode::<TopicConfigWrapper>(body).map(Registration::from),
    }
}

/// Reads a compressed body of at most `bytes_max` bytes once inflated.
///
/// # Errors
/// The stream is broken, longer than allowed, or a piece does not say what it should.
pub fn decode_compressed_registration(
    body: &[u8],
    bytes_max: u64,
) -> Result<Registration, BodyError> {
    let mut pieces = Pieces {
        source: ZlibDecoder::new(body).take(bytes_max),
    };
    let mut registration = Registration {
        data_version: decode(&pieces.piece()?)?,
        ..Registration::default()
    };
    for _ in 0..pieces.count()? {
        let topic = topic_of_text(&pieces.piece()?)?;
        registration.topics.insert(topic.topic_name.clone(), topic);
    }
    pieces.piece()?;
    for _ in 0..pieces.last_count()? {
        let mapping: TopicQueueMapping = decode(&pieces.piece()?)?;
        registration.mappings.insert(mapping.topic.clone(), mapping);
    }
    Ok(registration)
}

/// Inflates piece by piece: no more is in memory than was really there.
struct Pieces<R> {
    source: std::io::Take<R>,
}

impl<R: Read> Pieces<R> {
    fn count(&mut self) -> Result<u32, BodyError> {
        let mut number = [0; 4];
        self.source.read_exact(&mut number).map_err(broken)?;
        let count = i32::from_be_bytes(number);
        u32::try_from(count).map_err(|_| BodyError::Value(format!("{count} pieces")))
    }

    fn piece(&mut self) -> Result<Vec<u8>, BodyError> {
        let length = u64::from(self.count()?);
        if length > PIECE_BYTES_MAX {
            return Err(BodyError::Value(format!("a piece of {length} bytes")));
        }
        let mut piece = Vec::new();
        let source = self.source.by_ref();
        source
            .take(length)
            .read_to_end(&mut piece)
            .map_err(broken)?;
        if u64::try_from(piece.len()) == Ok(length) {
            Ok(piece)
        } else {
            Err(broken(std::io::ErrorKind::UnexpectedEof.into()))
        }
    }

    /// A count that may be missing altogether: 4.x has no mappings.
    fn last_count(&mut self) -> Result<u32, BodyError> {
        let mut number = Vec::new();
        let source = self.source.by_ref();
        source.take(4).read_to_end(&mut number).map_err(broken)?;
        match number.first_chunk::<4>() {
            Some(count) => u32::try_from(i32::from_be_bytes(*count))
                .map_err(|_| BodyError::Value("a negative count".to_owned())),
            None if number.is_empty() => Ok(0),
            None => Err(broken(std::io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

fn broken(error: std::io::Error) -> BodyError {
    BodyError::Value(format!(
        "the compressed registration is cut or too long: {error}"
    ))
}

fn topic_of_text(text: &[u8]) -> Result<TopicConfig, BodyError> {
    let text = String::from_utf8_lossy(text);
    let wrong = || BodyError::Value(format!("{text:.160?} is no topic"));
    let mut parts = text.splitn(6, ' ');
    let name = parts.next().filter(|name| !name.is_empty());
    let mut number = || parts.next().and_then(|number| number.parse().ok());
    let (read, write, perm) = (number(), number(), number());
    let filter_type = parts.next();
    let attributes = parts.next().map(str::trim).filter(|json| !json.is_empty());
    Ok(TopicConfig {
        topic_name: name.ok_or_else(wrong)?.to_owned(),
        read_queue_nums: read.ok_or_else(wrong)?,
        write_queue_nums: write.ok_or_else(wrong)?,
        perm: perm.ok_or_else(wrong)?,
        topic_filter_type: filter_type.ok_or_else(wrong)?.to_owned(),
        attributes: match attributes {
            Some(json) => decode(json.as_bytes())?,
            None => BTreeMap::new(),
        },
        ..TopicConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write;

    fn compress(pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
        for piece in pieces {
            out.write_all(piece).unwrap();
        }
        out.finish().unwrap()
    }

    fn piece(text: &str) -> Vec<u8> {
        let length = i32::try_from(text.len()).unwrap().to_be_bytes();
        [&length, text.as_bytes()].concat()
    }

    const VERSION: &str = r#"{"counter":3,"stateVersion":2,"timestamp":9}"#;

    fn whole(mappings: &[&[u8]]) -> Vec<u8> {
        let (one, two) = (
            piece("orders 8 4 6 SINGLE_TAG"),
            piece(r#"bills 1 1 4 MULTI_TAG {"message.type":"FIFO","x":"a b"}"#),
        );
        let head = [&piece(VERSION)[..], &2i32.to_be_bytes(), &one, &two];
        compress(&[&head.concat(), &piece("[]"), &mappings.concat()])
    }

    #[test]
    fn a_compressed_registration_says_the_same_as_json() {
        let mapping = piece(r#"{"bname":"b","currIdMap":{0:1},"topic":"orders","totalQueues":2}"#);
        let read = whole(&[&1i32.to_be_bytes(), &mapping]);
        let read = decode_compressed_registration(&read, 1 << 20).unwrap();
        assert_eq!(
            (read.data_version.counter, read.data_version.state_version),
            (3, 2)
        );
        let orders = &read.topics["orders"];
        assert_eq!(
            (orders.read_queue_nums, orders.write_queue_nums, orders.perm),
            (8, 4, 6)
        );
        assert_eq!(read.topics["bills"].attributes["x"], "a b");
        assert_eq!(read.mappings["orders"].curr_id_map[&0], 1);
    }

    #[test]
    fn brokers_before_5_say_nothing_of_mappings() {
        let read = decode_compressed_registration(&whole(&[]), 1 << 20).unwrap();
        assert_eq!((read.topics.len(), read.mappings.len()), (2, 0));
    }

    #[test]
    fn a_cut_absurd_or_endless_stream_is_an_error() {
        let good = whole(&[]);
        for end in 0..good.len().saturating_sub(1) {
            let _ = decode_compressed_registration(&good[..end], 1 << 20);
        }
        assert!(decode_compressed_registration(&good[..good.len() / 2], 1 << 20).is_err());
        assert!(
            decode_compressed_registration(&good, 40).is_err(),
            "longer than allowed"
        );
        for absurd in [i32::MAX, -1] {
            let absurd = compress(&[&absurd.to_be_bytes()]);
            assert!(decode_compressed_registration(&absurd, 1 << 40).is_err());
        }
        let bomb = compress(&[&piece(VERSION), &i32::MAX.to_be_bytes(), &[0; 1 << 20]]);
        assert!(decode_compressed_registration(&bomb, 1 << 16).is_err());
    }

    #[test]
    fn both_json_forms_are_read() {
        let wrapper = format!(
            r#"{{"dataVersion":{VERSION},"topicConfigTable":{{"T":{{"perm":6,"topicName":"T"}}}}}}"#
        );
        let current =
            format!(r#"{{"filterServerList":[],"topicConfigSerializeWrapper":{wrapper}}}"#);
        let old = decode_registration(wrapper.as_bytes()).unwrap();
        assert_eq!(old, decode_registration(current.as_bytes()).unwrap());
        assert_eq!(old.data_version.counter, 3);
        assert!(old.topics.contains_key("T"));
        assert_eq!(decode_registration(b"").unwrap(), Registration::default());
    }
}
