use super::{
    ArrayBuilder, Decimal, ELEMENTS_MAX, TABLE_DEPTH_MAX, Table, TableBuilder, TableFault,
    TableView, Value,
};
use bytes::{BufMut, Bytes, BytesMut};

/// Tables (`F`) or arrays (`A`) within a table, `depth` in all.
fn nested(depth: usize, kind: u8) -> Bytes {
    let mut inside = BytesMut::new();
    for level in (1..depth).rev() {
        let mut outside = BytesMut::new();
        if kind == b'F' || level == 1 {
            outside.put_u8(0);
        }
        outside.put_u8(kind);
        outside.put_u32(u32::try_from(inside.len()).unwrap());
        outside.put_slice(&inside);
        inside = outside;
    }
    inside.freeze()
}

#[test]
fn deep_tables_are_refused_without_a_stack() {
    for kind in *b"FA" {
        assert!(Table::parse(nested(TABLE_DEPTH_MAX, kind)).is_ok());
        for depth in [TABLE_DEPTH_MAX + 1, 1_000, 3_000] {
            let refused = Table::parse(nested(depth, kind));
            assert_eq!(refused, Err(TableFault::TooDeep), "{depth}");
        }
    }
}

#[test]
fn a_table_of_too_many_elements_is_refused() {
    let voids = |count: usize| Bytes::from(b"\0V".repeat(count));
    assert!(Table::parse(voids(ELEMENTS_MAX)).is_ok());
    let refused = Table::parse(voids(ELEMENTS_MAX + 1));
    assert_eq!(refused, Err(TableFault::TooManyElements));
    let mut array = BytesMut::from(&b"\0A"[..]);
    array.put_u32(u32::try_from(ELEMENTS_MAX).unwrap());
    array.put_slice(&b"V".repeat(ELEMENTS_MAX));
    let refused = Table::parse(array.freeze());
    assert_eq!(refused, Err(TableFault::TooManyElements));
}

#[test]
fn claims_beyond_the_end_are_refused() {
    for raw in [
        &b"\x05a"[..],
        b"\x01a",
        b"\x01aI\0\0\0",
        b"\x01aS\xFF\xFF\xFF\xFFx",
        b"\x01aF\0\0\0\x05\x01bV",
        b"\x01aA\0\0\0\x02I\0",
        b"\x01aD\x01\0\0\0",
    ] {
        assert_eq!(TableView::parse(raw), Err(TableFault::CutShort), "{raw:?}");
    }
    for unknown in [b'Z', b'U', 0, 255] {
        let raw = [1, b'a', unknown, 0, 0, 0, 0];
        assert_eq!(TableView::parse(&raw), Err(TableFault::UnknownTag(unknown)));
    }
}

#[test]
fn fields_keep_their_order_and_may_repeat() {
    let mut table = TableBuilder::new();
    table
        .put("z", Value::I32(1))
        .put("a", Value::Void)
        .put("z", Value::I32(2));
    let table = table.build();
    let names: Vec<_> = table.view().iter().map(|field| field.name).collect();
    assert_eq!(names, [b"z", b"a", b"z"]);
    assert_eq!(table.view().get("z"), Some(Value::I32(1)), "the first");
    assert_eq!(table.view().get("b"), None);
    assert_eq!(Table::parse(table.raw().clone()), Ok(table));
}

#[test]
fn a_table_is_changed_without_touching_its_other_fields() {
    // `L` and a true of 5 would not survive being written anew.
    let old = Table::parse(Bytes::from_static(
        b"\x01aL\0\0\0\0\0\0\0\x07\x01bt\x05\x01cV",
    ))
    .unwrap();
    let mut new = TableBuilder::new();
    new.copy_without(old.view(), &["c", "d"]);
    let new = new.put("d", Value::LongString(b"x")).build();
    assert_eq!(
        &new.raw()[..],
        b"\x01aL\0\0\0\0\0\0\0\x07\x01bt\x05\x01dS\0\0\0\x01x"
    );
    assert_eq!(new.view().get("a"), Some(Value::I64(7)));
    assert_eq!(new.view().get("b"), Some(Value::Bool(true)));
}

#[test]
fn values_say_what_they_are() {
    assert_eq!(Value::U32(u32::MAX).integer(), Some(4_294_967_295));
    assert_eq!(Value::I8(-1).integer(), Some(-1));
    assert_eq!(Value::F64(1.0).integer(), None);
    assert_eq!(Value::LongString(b"\xFF").text(), None);
    assert_eq!(Value::Bytes(b"x").text(), None);
    let mut array = ArrayBuilder::new();
    array.push(Value::Bool(true)).push(Value::Decimal(Decimal {
        scale: 2,
        value: -314,
    }));
    let mut inside = TableBuilder::new();
    let inside = inside.put("k", Value::LongString(b"v")).build();
    array.push(Value::Table(inside.view()));
    let mut table = TableBuilder::new();
    let table = table.put("list", Value::Array(array.view())).build();
    assert_eq!(
        format!("{table:?}"),
        r#"{"list": [true, D:-314e-2, {"k": "v"}]}"#
    );
}

#[test]
fn a_long_name_is_cut() {
    let mut table = TableBuilder::new();
    let table = table.put(&"n".repeat(300), Value::Void).build();
    let field = table.view().iter().next().unwrap();
    assert_eq!(field.name.len(), 255);
}
