use super::{Expression, FilterConfig, FilterError, fuzz_expression};
use crate::model::Properties;
use proptest::prelude::*;

fn compile(text: &str) -> Result<Expression, FilterError> {
    Expression::compile(text, &FilterConfig::default())
}

/// What `text` comes to for properties written `a=1,b=x`.
fn truth(properties: &str, text: &str) -> Option<bool> {
    let pairs = properties
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let properties = Properties::from_pairs(pairs).unwrap();
    let expression = compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.truth(&properties)
}

fn all_come_to(expected: Option<bool>, cases: &[(&str, &str)]) {
    for (properties, text) in cases {
        assert_eq!(truth(properties, text), expected, "{properties}: {text}");
    }
}

// The cases of the next tests were put to rocketmq-filter 5.5.0's own parser, which says the same
// of each but where a comment tells.

#[test]
fn what_matches() {
    all_come_to(
        Some(true),
        &[
            ("a=3", "a > 2"),
            ("a=3", "2 < a"),
            ("a=3", "a = 3"),
            ("a=3", "a = '3'"),
            ("a=3", "a = 3.0"),
            ("a=3", "a BETWEEN 2.5 AND 3.5"),
            ("b=1", "b = 1L"),
            ("b=1", "b = 1."),
            ("b=.5", "b = 0.5"),
            ("b=100", "b = 1.0E+2"),
            ("b=1", "b < .5e1"),
            ("b=+1", "b = 1"),
            ("b=-1", "b = - 1 AND b > -1.5"),
            ("b=9223372036854775807", "b > 9223372036854775806"),
            ("b=1", "a > 2 OR b = 1"),
            ("b=1", "a IS NULL AND b IS NOT NULL"),
            ("b=2", "b BETWEEN 1 AND 3 AND b NOT BETWEEN 3 AND 4"),
            ("b=1,c=5", "b BETWEEN 0 AND c AND b < c"),
            ("b=1", "1 BETWEEN b AND 2"),
            ("b=x", "b IN ('x','y') AND (b) NOT IN ('a' , 'b')"),
            (
                "b=xyz",
                "b CONTAINS 'y' AND b STARTSWITH 'xy' AND b endswith 'z'",
            ),
            ("b=xyz", "b NOT CONTAINS 'q' AND b NOT STARTSWITH 'y'"),
            ("b=xyz", "'xyz' CONTAINS 'y'"),
            ("b=1", "NOT (c CONTAINS '1')"),
            ("b=it's", "b = 'it''s'"),
            ("b=é", "b = 'é'"),
            ("b=TRUE", "b = TRUE AND b <> FALSE"),
            ("b=x", "b = FALSE"),
            ("b=1", "b = 1 OR b = 2 AND b = 3"),
            ("b=1", "b = 1 = TRUE"),
            ("b=1", "(b = 1) = (b = 1)"),
            ("b=1", "c = 1 IS NULL"),
            ("b=1", "b IS NULL = FALSE"),
            ("b=1", "NOT c IS NULL"),
            ("b=1", "b Is nOt nUlL and b=1AND b=1"),
            ("b=1", "/* c ** / */ b -- until here\n = 1"),
            ("$b_1=1", "$b_1 = 1"),
            ("b=a,c=a", "b = c"),
            ("b=1,c=1.0", "b >= c"),
            ("b=1", "1 <> TRUE AND 'true' = TRUE"),
            ("b=1", "1 = '1' AND 1 = 1.0 AND 'a' <> 'b' AND '' = ''"),
            ("b=1", "b > - - 1 OR b > 0"),
            ("b=1", "NOT b"),
            ("b=x", "TRUE OR b > 2"),
            ("TAGS=red,KEYS=k", "TAGS = 'red' AND KEYS IS NOT NULL"),
            // RocketMQ refuses 0.0, and fails where an integer meets a decimal.
            ("b=1", "b > 0.0"),
            ("a=3.5", "a > 3 AND a BETWEEN 3 AND 4"),
        ],
    );
}

#[test]
fn what_does_not_match() {
    all_come_to(
        Some(false),
        &[
            ("a=3", "a <> 3"),
            ("a=3", "a <> '3'"),
            ("b=1", "a > 2 AND b = 2"),
            ("b=2", "b NOT BETWEEN 1 AND 3"),
            ("b=x", "b NOT IN ('x','y')"),
            ("b=1", "a CONTAINS 'y'"),
            ("b=1", "a NOT CONTAINS 'y'"),
            ("b=xyz", "b CONTAINS ''"),
            ("b=xyz", "b NOT CONTAINS ''"),
            ("b=1", "1 CONTAINS '1' OR 1 NOT CONTAINS '2'"),
            ("b=1", "b = TRUE"),
            ("b=true", "b"),
            ("b=true", "b AND TRUE"),
            ("b=1", "(b = 1 OR b = 2) AND b = 3"),
            // NOT binds closer than the comparison.
            ("b=1", "NOT b = 1"),
            ("b=x", "NOT b = 1"),
            ("b=x", "FALSE AND b > 2"),
            ("b=9223372036854775806", "b = 9223372036854775807"),
            ("b=9007199254740993,c=9007199254740992", "b = c OR b < c"),
            ("b=1,c=1.0", "b = c"),
            ("b=it", "b = 'IT'"),
            ("b=0", "b BETWEEN 1 AND c"),
            ("b=1", "NOT (a IS NULL)"),
        ],
    );
}

#[test]
fn what_is_unknown() {
    all_come_to(
        None,
        &[
            ("b=1", "a > 2"),
            ("b=1", "a = 2"),
            ("b=1", "a <> 2"),
            ("b=1", "NOT (a <> 2)"),
            ("b=1", "a > 2 AND b = 1"),
            ("b=1", "a BETWEEN 1 AND 3"),
            ("b=1", "a NOT BETWEEN 1 AND 3"),
            ("b=1", "a NOT IN ('x')"),
            ("b=1", "a IN ('x') = TRUE"),
            ("b=1", "B = 1"),
            ("b=1", "a"),
            ("b=1", "NULL OR FALSE"),
            ("b=1", "NOT NULL"),
            ("b=1", "(a = 1) = TRUE"),
            // RocketMQ takes a missing property on the right of an equality for unequal.
            ("b=1", "'x' = a"),
            ("b=1", "b <> a"),
            // Text that is no number fails all of the expression.
            ("b=x", "b = 2"),
            ("b=x", "b > 2 OR TRUE"),
            ("b=x", "NOT (b > 2)"),
            ("b=x", "b = 1 OR b = 'x'"),
            ("b=NaN", "b > 0"),
            ("b=Infinity", "b > 0"),
            ("b=1f", "b = 1"),
            ("b= 1", "b = 1"),
            ("b=1_0", "b = 10"),
        ],
    );
}

#[test]
fn what_is_no_expression_is_told_with_its_place() {
    let cases = [
        (
            "",
            "expected a property, a string or a number, found the end at character 1",
        ),
        ("a >", "found the end at character 4"),
        ("a = 1 AND", "found the end at character 10"),
        ("(a = 1", "expected ), found the end at character 7"),
        (
            "a = 1)",
            "the expression is complete before ) at character 6",
        ),
        (
            "a LIKE 'x%'",
            "the expression is complete before LIKE at character 3",
        ),
        (
            "a + 1 = 2",
            "the expression is complete before + at character 3",
        ),
        (
            "é = 1",
            "the character 'é' has no meaning here at character 1",
        ),
        (
            "a = 'é' AND ;",
            "the character ';' has no meaning here at character 13",
        ),
        ("a != 3", "not equal is written <> at character 3"),
        ("a = 'x", "the string has no end at character 5"),
        ("a /* b", "the comment has no end at character 3"),
        ("a = 9223372036854775808", "is not a decimal number"),
        ("a = 1e400", "is not a decimal number"),
        ("a = 010", "is not a decimal number"),
        ("a = 0x1", "complete before x1 at character 6"),
        ("a = NULL", "NULL cannot be compared"),
        ("NULL > a", "NULL cannot be compared"),
        ("a < 'b'", "have an order at character 5"),
        ("a > TRUE", "have an order"),
        ("a > 0 > 1", "have an order at character 1"),
        ("TRUE = 1", "equal no number and no string at character 1"),
        ("1", "a condition is needed"),
        (
            "'x' AND TRUE",
            "a condition is needed, not a number or a string at character 1",
        ),
        ("NOT 1", "a condition is needed"),
        (
            "b BETWEEN 3 AND 1",
            "the lower bound of BETWEEN is above the upper one",
        ),
        ("b BETWEEN '0' AND '5'", "have an order"),
        ("b BETWEEN 0 OR 2", "expected AND, found OR"),
        ("b IN ()", "expected a string, found )"),
        ("b IN (1)", "expected a string, found 1"),
        ("b IN ('1' '2')", "expected , or ), found '2'"),
        ("'x' IN ('x')", "IN takes the name of a property"),
        ("b NOT 1", "expected BETWEEN, IN"),
        ("b IS TRUE", "expected NULL, found TRUE"),
        ("b CONTAINS c", "expected a string, found c"),
        ("-b = 1", "a minus takes a number"),
    ];
    for (text, expected) in cases {
        let error = compile(text).unwrap_err().to_string();
        assert!(
            error.ends_with(expected) || error.contains(expected),
            "{text}: {error}"
        );
    }
}

#[test]
fn hostile_expressions_are_refused_and_do_not_overflow_the_stack() {
    let depth = FilterConfig::default().expression_depth_max;
    let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(compile(&nested(depth)).is_ok());
    let wide = FilterConfig {
        expression_bytes_max: 1 << 20,
        expression_depth_max: usize::MAX,
        ..FilterConfig::default()
    };
    let hostile = [
        nested(100_000),
        format!("a = {}1", "- ".repeat(100_000)),
        format!("{} a", "NOT ".repeat(100_000)),
        format!("a {}", "IS NULL ".repeat(100_000)),
        format!("a {}", "= a ".repeat(100_000)),
        "(a = ".repeat(100_000),
    ];
    assert!(compile(&nested(depth + 1)).is_err());
    for text in hostile {
        let error = Expression::compile(&text, &wide).unwrap_err().to_string();
        assert!(error.contains("nested deeper"), "{error}");
    }
    let many = vec!["a = 1"; 10_000].join(" OR ");
    assert!(
        Expression::compile(&many, &wide).is_ok(),
        "wide is not deep"
    );
    let error = compile(&many).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the expression is longer than 8192 bytes at character 1"
    );
}

/// Conditions about the properties `a` and `b`, and about `c`, which is missing.
fn condition() -> impl Strategy<Value = String> {
    let least = prop_oneof![
        Just("TRUE"),
        Just("FALSE"),
        Just("NULL"),
        Just("a = 1"),
        Just("a <> 1"),
        Just("b CONTAINS 'x'"),
        Just("c > 1"),
        Just("c IS NULL"),
        Just("c IN ('1')"),
        Just("a BETWEEN 0 AND 3"),
    ];
    let least = least.prop_map(|text| format!("({text})"));
    least.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} AND {r})")),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| format!("({l} OR {r})")),
            inner.prop_map(|inner| format!("(NOT {inner})")),
        ]
    })
}

/// Bits of expressions, in no order.
fn nonsense() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        Just("a "),
        Just("'x' "),
        Just("1 "),
        Just("1.5e3 "),
        Just("NOT "),
        Just("AND "),
        Just("OR "),
        Just("BETWEEN "),
        Just("IN "),
        Just("TRUE "),
        Just("NULL "),
        Just("IS "),
        Just("CONTAINS "),
        Just("= "),
        Just("<> "),
        Just("< "),
        Just("( "),
        Just(") "),
        Just(", "),
        Just("- "),
        Just("+ "),
        Just("/*"),
        Just("'"),
        Just("é"),
        Just("."),
    ];
    proptest::collection::vec(bit, 0..24).prop_map(|bits| bits.concat())
}

proptest! {
    #[test]
    fn unknown_obeys_the_laws_of_three_valued_logic(
        p in condition(), q in condition(), r in condition()
    ) {
        let of = |text: String| truth("a=1,b=y", &text);
        let (p_truth, q_truth) = (of(p.clone()), of(q.clone()));
        prop_assert_eq!(of(format!("NOT ({p})")), p_truth.map(|truth| !truth));
        let both = match (p_truth, q_truth) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        prop_assert_eq!(of(format!("{p} AND {q}")), both);
        prop_assert_eq!(of(format!("{p} OR {q}")), of(format!("{q} OR {p}")));
        prop_assert_eq!(of(format!("NOT ({p} AND {q})")), of(format!("(NOT {p}) OR (NOT {q})")));
        let spread = format!("({p} AND {q}) OR ({p} AND {r})");
        prop_assert_eq!(of(format!("{p} AND ({q} OR {r})")), of(spread));
        prop_assert_eq!(of(format!("{p} OR {q} AND {r}")), of(format!("{p} OR ({q} AND {r})")));
        prop_assert_eq!(of(format!("{p} IS NULL")), Some(p_truth.is_none()));
    }

    #[test]
    fn numbers_compare_as_numbers(left in any::<i64>(), right in any::<i32>()) {
        let properties = format!("a={left},b={right}");
        for (symbol, holds) in [
            ("<", left < i64::from(right)),
            (">=", left >= i64::from(right)),
            ("=", left == i64::from(right)),
        ] {
            prop_assert_eq!(truth(&properties, &format!("a {symbol} {right}")), Some(holds));
        }
        let both = truth(&properties, "a < b OR a > b OR a = b");
        prop_assert_eq!(both, Some(true));
    }

    #[test]
    fn any_string_is_found_by_its_literal(text in "[^\u{1}\u{2},=]{1,20}") {
        let literal = text.replace('\'', "''");
        let properties = format!("a={text}");
        prop_assert_eq!(truth(&properties, &format!("a = '{literal}'")), Some(true));
        prop_assert_eq!(truth(&properties, &format!("a IN ('', '{literal}')")), Some(true));
        prop_assert_eq!(truth(&properties, &format!("a CONTAINS '{literal}'")), Some(true));
    }

    #[test]
    fn nothing_makes_the_parser_panic(
        text in nonsense(), any_text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..80)
    ) {
        for text in [text, any_text] {
            if let Err(error) = compile(&text) {
                prop_assert!(error.at >= 1 && error.at <= text.chars().count() + 1);
            }
        }
        fuzz_expression(&bytes);
    }
}
