//! What a list is asked for with: which columns, in which order, which page.

use crate::refusal::Refusal;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use regex::RegexBuilder;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;
use std::convert::Infallible;

const PAGE_SIZE: usize = 100;
const PAGE_SIZE_MAX: usize = 500;
const EXPRESSION_BYTES_MAX: usize = 1 << 20;

/// The part of a URL behind the question mark.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    fn parse(text: &str) -> Self {
        let decode = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// A parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// A parameter that says yes.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The answer with a list.
    ///
    /// # Errors
    /// A page that is none.
    pub(crate) fn list(&self, mut items: Vec<Value>) -> Result<Response, Refusal> {
        if let Some(by) = self.get("sort") {
            items.sort_by(|a, b| compare(at(a, by), at(b, by)));
            if self.is("sort_reverse") {
                items.reverse();
            }
        }
        let Some(page) = self.get("page") else {
            let items = items.into_iter().map(|item| self.columns(item));
            return Ok(Json(items.collect::<Vec<_>>()).into_response());
        };
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        let wrong = || Refusal::bad("invalid_pagination_parameters");
        let page = number(page).ok_or_else(wrong)?;
        let size = self.get("page_size").map_or(Some(PAGE_SIZE), number);
        let size = size
            .filter(|size| *size <= PAGE_SIZE_MAX)
            .ok_or_else(wrong)?;
        let total = items.len();
        self.keep_named(&mut items)?;
        let filtered = items.len();
        let pages = filtered.div_ceil(size).max(1);
        if page > pages {
            return Err(Refusal::bad(format!(
                "page_out_of_range, page: {page} page size: {size}, len: {filtered}"
            )));
        }
        let items = items.into_iter().skip((page - 1) * size).take(size);
        let items: Vec<_> = items.map(|item| self.columns(item)).collect();
        let answer = json!({
            "filtered_count": filtered,
            "item_count": items.len(),
            "items": items,
            "page": page,
            "page_count": pages,
            "page_size": size,
            "total_count": total,
        });
        Ok(Json(answer).into_response())
    }

    fn keep_named(&self, items: &mut Vec<Value>) -> Result<(), Refusal> {
        let Some(name) = self.get("name").filter(|name| !name.is_empty()) else {
            return Ok(());
        };
        let name_of = |item: &Value| {
            let name = item.get("name").and_then(Value::as_str);
            name.unwrap_or_default().to_owned()
        };
        if self.is("use_regex") {
            let mut builder = RegexBuilder::new(name);
            let builder = builder.case_insensitive(true);
            let expression = builder.size_limit(EXPRESSION_BYTES_MAX).build();
            let expression = expression.map_err(|error| Refusal::bad(error.to_string()))?;
            items.retain(|item| expression.is_match(&name_of(item)));
        } else {
            let name = name.to_lowercase();
            items.retain(|item| name_of(item).to_lowercase().contains(&name));
        }
        Ok(())
    }

    /// An answer with one thing.
    pub(crate) fn one(&self, item: Value) -> Response {
        Json(self.columns(item)).into_response()
    }

    fn columns(&self, item: Value) -> Value {
        let Some(columns) = self.get("columns").filter(|text| !text.is_empty()) else {
            return item;
        };
        let mut kept = Map::new();
        for column in columns.split(',') {
            if let Some(value) = at(&item, column) {
                put(&mut kept, column, value.clone());
            }
        }
        Value::Object(kept)
    }
}

/// A field of a field: `message_stats.publish`.
fn at<'a>(item: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(item, |value, name| value.get(name))
}

fn put(into: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(into.insert(path.to_owned(), value)),
        Some((first, rest)) => {
            let nested = into
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(nested) = nested {
                put(nested, rest, value);
            }
        }
    }
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            let (a, b) = (a.as_f64(), b.as_f64());
            a.partial_cmp(&b).unwrap_or(Ordering::Equal)
        }
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_sorting_and_pages_are_rabbitmqs() {
        let query = Query::parse("columns=name,a.b&sort=a.b&sort_reverse=true");
        let item = json!({ "name": "q", "a": { "b": 1, "c": 2 }, "d": 3 });
        assert_eq!(query.columns(item), json!({ "name": "q", "a": { "b": 1 } }));
        let query = Query::parse("page=0");
        assert!(query.list(Vec::new()).is_err());
        let query = Query::parse("page=2&name=x");
        assert!(query.list(vec![json!({ "name": "x" })]).is_err());
        let query = Query::parse("page=1&name=%5EQ&use_regex=true");
        let mut items = vec![json!({ "name": "q1" }), json!({ "name": "1q" })];
        query.keep_named(&mut items).unwrap();
        assert_eq!(items.len(), 1);
    }
}
