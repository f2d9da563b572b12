//! The subject of a client's certificate, as RabbitMQ writes it (`rabbit_ssl`, RFC 4514): the last
//! part first.

use x509_parser::parse_x509_certificate;
use x509_parser::x509::{AttributeTypeAndValue, RelativeDistinguishedName};

/// Kinds of parts that RabbitMQ has names for, by their number.
const KINDS: [(&str, &str); 16] = [
    ("2.5.4.3", COMMON_NAME),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.42", "GIVENNAME"),
    ("2.5.4.43", "INITIALS"),
    ("2.5.4.44", "GENERATIONQUALIFIER"),
    ("2.5.4.65", "PSEUDONYM"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
];
const COMMON_NAME: &str = "CN";
/// What has a backslash before it.
const SPECIAL: [char; 7] = [',', '+', '"', '\\', '<', '>', ';'];

/// Who a certificate is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// All parts: `CN=anna,O=company`.
    pub(crate) whole: String,
    /// Its common names, with commas between them.
    pub(crate) common_name: Option<String>,
}

impl Subject {
    /// Of a certificate in DER.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(certificate).ok()?;
        let subject = certificate.subject();
        let mut parts: Vec<_> = subject.iter_rdn().map(part).collect();
        parts.reverse();
        let names = subject.iter_attributes();
        let names = names.filter(|attribute| kind(attribute) == COMMON_NAME);
        let names: Vec<_> = names.filter_map(|name| name.as_str().ok()).collect();
        Some(Self {
            whole: parts.join(","),
            common_name: (!names.is_empty()).then(|| names.join(",")),
        })
    }
}

fn part(part: &RelativeDistinguishedName<'_>) -> String {
    let attributes = part.iter().map(|attribute| {
        let value = attribute.as_str().map(escaped).unwrap_or_default();
        format!("{}={value}", kind(attribute))
    });
    attributes.collect::<Vec<_>>().join("+")
}

fn kind(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let known = KINDS.iter().find(|(known, _)| *known == number);
    known.map_or(number, |(_, name)| (*name).to_owned())
}

fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        let is_edge = (at == 0 && matches!(letter, ' ' | '#')) || (at == last && letter == ' ');
        if is_edge || SPECIAL.contains(&letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    #[test]
    fn the_last_part_of_a_subject_comes_first() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in [
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Company, Inc."),
            (DnType::CommonName, "anna"),
        ] {
            params.distinguished_name.push(kind, value);
        }
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let subject = Subject::of(made.der()).unwrap();
        assert_eq!(subject.whole, r"CN=anna,O=Company\, Inc.,C=DE");
        assert_eq!(subject.common_name.as_deref(), Some("anna"));
        assert_eq!(Subject::of(b"none"), None);
    }

    #[test]
    fn what_separates_parts_is_escaped() {
        assert_eq!(escaped(" a#b+c "), r"\ a#b\+c\ ");
        assert_eq!(escaped("#a"), r"\#a");
    }
}
