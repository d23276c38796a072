//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::{resources::Query, status::Failure};

#[derive(Clone, Debug)]
enum Condition {
    Equals(String),
    NotEquals(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    NotExists,
}

/// What a list or watch asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<(String, Condition)>,
    fields: Vec<(String, Condition)>,
}

impl Selector {
    pub(super) fn parse(query: &Query) -> Result<Self, Failure> {
        let labels = query.get("labelSelector").map(parse_all).transpose()?.unwrap_or_default();
        let fields = query.get("fieldSelector").map(parse_all).transpose()?.unwrap_or_default();
        Ok(Self { labels, fields })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"].get(key).and_then(Value::as_str).map(str::to_owned);
        let field = |path: &str| {
            let found = path.split('.').try_fold(object, |at, part| at.get(part));
            Some(found.and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        self.labels.iter().all(|(key, condition)| condition.holds(label(key).as_deref()))
            && self.fields.iter().all(|(path, condition)| condition.holds(field(path).as_deref()))
    }
}

impl Condition {
    fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Equals(wanted) => value == Some(wanted),
            Self::NotEquals(unwanted) => value != Some(unwanted),
            Self::In(wanted) => value.is_some_and(|value| wanted.iter().any(|one| one == value)),
            Self::NotIn(unwanted) => !value.is_some_and(|value| unwanted.iter().any(|one| one == value)),
            Self::Exists => value.is_some(),
            Self::NotExists => value.is_none(),
        }
    }
}

fn parse_all(text: &str) -> Result<Vec<(String, Condition)>, Failure> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts.into_iter().map(|part| parse_one(part.trim())).collect()
}

fn parse_one(text: &str) -> Result<(String, Condition), Failure> {
    let list = |rest: &str| {
        rest.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(|one| one.trim().to_owned()).collect()
    };
    if let Some((key, value)) = text.split_once("!=") {
        return Ok((key.trim().to_owned(), Condition::NotEquals(value.trim().to_owned())));
    }
    if let Some((key, value)) = text.split_once('=') {
        return Ok((key.trim().to_owned(), Condition::Equals(value.trim_start_matches('=').trim().to_owned())));
    }
    if let Some((key, values)) = text.split_once(" notin ") {
        return Ok((key.trim().to_owned(), Condition::NotIn(list(values))));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Ok((key.trim().to_owned(), Condition::In(list(values))));
    }
    if let Some(key) = text.strip_prefix('!') {
        return Ok((key.trim().to_owned(), Condition::NotExists));
    }
    if text.is_empty() || text.contains(' ') {
        return Err(Failure::bad_request(format!("unable to parse requirement: {text:?}")));
    }
    Ok((text.to_owned(), Condition::Exists))
}
