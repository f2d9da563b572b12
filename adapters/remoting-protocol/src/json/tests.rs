use super::{BodyError, Style, from_slice, to_bytes};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
struct Key {
    id: i32,
    name: String,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Everything {
    by_id: BTreeMap<i64, String>,
    by_key: BTreeMap<Key, Vec<i64>>,
    is_on: bool,
    missing: Option<String>,
    rate: f64,
}

fn sample() -> Everything {
    Everything {
        by_id: [(0, "a\"\u{1}".to_owned()), (-1, "é😀".to_owned())].into(),
        by_key: [(
            Key {
                id: 7,
                name: "k".to_owned(),
            },
            vec![1, 2],
        )]
        .into(),
        is_on: true,
        missing: None,
        rate: 0.0,
    }
}

#[test]
fn both_forms_are_written_as_fastjson_writes_them() {
    assert_eq!(
        std::str::from_utf8(&to_bytes(&sample(), Style::Fastjson)).unwrap(),
        r#"{"by_id":{-1:"é😀",0:"a\"\u0001"},"by_key":{{"id":7,"name":"k"}:[1,2]},"is_on":true,"rate":0.0}"#
    );
    assert_eq!(
        std::str::from_utf8(&to_bytes(&sample(), Style::Standard)).unwrap(),
        r#"{"by_id":{"-1":"\u00E9\uD83D\uDE00","0":"a\"\u0001"},"by_key":{{"id":7,"name":"k"}:[1,2]},"is_on":true,"rate":0.0}"#
    );
}

#[test]
fn lenient_forms_are_read() {
    let body = r#" { by_id : {'-1':'é\uD83D\uDE00', 0:"a\"\u0001",} , "by_key":{{name:"k","id":"7",x:null}:["1",2,],},
        'is_on' : "true", missing:null, rate:0, unknown:{a:[{}],"b":{1:2}},}"#;
    assert_eq!(from_slice(body.as_bytes()), Ok(sample()));
    assert_eq!(from_slice(b"{}"), Ok(Everything::default()));
}

#[test]
fn what_is_no_json_says_where() {
    let syntax = |at, expected| Err(BodyError::Syntax { at, expected });
    assert_eq!(from_slice::<Everything>(b""), syntax(0, "{"));
    assert_eq!(
        from_slice::<Everything>(b"{is_on:true"),
        syntax(11, "a comma")
    );
    assert_eq!(
        from_slice::<Everything>(b"{'is_on"),
        syntax(2, "a string's end")
    );
    assert_eq!(from_slice::<Everything>(b"{}{"), syntax(2, "the end"));
    assert_eq!(from_slice::<Everything>(b"{\xFF}"), syntax(1, "UTF-8"));
    let deep = format!("{{x:{}", "[".repeat(1_000_000));
    assert_eq!(
        from_slice::<Everything>(deep.as_bytes()),
        syntax(66, "less nesting")
    );
    assert!(matches!(
        from_slice::<Key>(b"{id:2147483648}"),
        Err(BodyError::Value(_))
    ));
}

proptest! {
    #[test]
    fn a_value_survives_both_forms(
        by_id in proptest::collection::btree_map(any::<i64>(), ".{0,9}", 0..5),
        by_key in proptest::collection::btree_map(
            (any::<i32>(), ".{0,9}").prop_map(|(id, name)| Key { id, name }),
            any::<Vec<i64>>(),
            0..5,
        ),
        is_on: bool,
        missing in proptest::option::of(".{0,9}"),
        rate in -1e300f64..1e300,
    ) {
        let value = Everything { by_id, by_key, is_on, missing, rate };
        for style in [Style::Fastjson, Style::Standard] {
            prop_assert_eq!(from_slice(&to_bytes(&value, style)), Ok(value.clone()));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(data: Vec<u8>, text in "[\\{\\}\\[\\]:,\"'\\\\ua0-9 ]{0,40}") {
        drop(from_slice::<Everything>(&data));
        drop(from_slice::<Everything>(text.as_bytes()));
    }
}
