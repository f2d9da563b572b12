use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where a message lies: the broker that stored it and the byte of its log. Written as 32
/// hexadecimal digits (address, port in four bytes, offset), 56 for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The broker.
    pub host: SocketAddr,
    /// Bytes into its commit log.
    pub offset: i64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = [0u8; 56];
        let mut places = text.iter_mut();
        let mut put = |bytes: &[u8]| {
            for byte in bytes {
                for nibble in [byte >> 4, byte & 0xF] {
                    let digit = DIGITS.get(usize::from(nibble)).copied();
                    if let (Some(place), Some(digit)) = (places.next(), digit) {
                        *place = digit;
                    }
                }
            }
        };
        let len = match self.host.ip() {
            IpAddr::V4(ip) => {
                put(&ip.octets());
                32
            }
            IpAddr::V6(ip) => {
                put(&ip.octets());
                56
            }
        };
        put(&u32::from(self.host.port()).to_be_bytes());
        put(&self.offset.to_be_bytes());
        let text = text.get(..len).unwrap_or_default();
        formatter.write_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

/// Text that is no message id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message id of 32 or 56 hexadecimal digits")]
pub struct MessageIdError;

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let address_len = match text.len() {
            32 => 8,
            56 => 32,
            _ => return Err(MessageIdError),
        };
        if !is_hex {
            return Err(MessageIdError);
        }
        let (address, rest) = text.split_at(address_len);
        let (port, offset) = rest.split_at(8);
        let bits = |digits: &str| u128::from_str_radix(digits, 16).map_err(|_| MessageIdError);
        let ip = match u32::try_from(bits(address)?) {
            Ok(address) if address_len == 8 => IpAddr::V4(Ipv4Addr::from_bits(address)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(bits(address)?)),
        };
        let port = u16::try_from(bits(port)?).map_err(|_| MessageIdError)?;
        let offset = u64::try_from(bits(offset)?).map_err(|_| MessageIdError)?;
        Ok(Self {
            host: SocketAddr::new(ip, port),
            offset: offset.cast_signed(),
        })
    }
}
