//! The table of `docs/security.md`, and the routes that the server's sources name.

use std::{collections::BTreeSet, fs, path::Path};

use super::cast::WHO;

/// What somebody gets at a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// It is done, or fails for a reason that has nothing to do with who asks.
    Allowed,
    /// This status, or what says the same on a socket.
    Refused(u16),
}

/// One door.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) door: String,
    /// One for each of [`WHO`].
    pub(super) cells: Vec<Cell>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

/// Line before the table.
const MARK: &str = "<!-- matrix -->";

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

impl Table {
    /// Reads it from the document.
    pub(super) fn read() -> Self {
        let text = fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
        let after = text.split_once(MARK).expect("the mark before the table").1;
        let mut lines =
            after.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        let head = cells(lines.next().expect("the head of the table"));
        assert_eq!(head[1..], WHO.map(str::to_owned), "the columns of the table");
        let rows = lines.skip(1).map(|line| {
            let mut words = cells(line).into_iter();
            let door = words.next().expect("a door").trim_matches('`').to_owned();
            let cells: Vec<Cell> = words.map(|word| cell(&word)).collect();
            assert_eq!(cells.len(), WHO.len(), "the row of {door}");
            Row { door, cells }
        });
        Self { rows: rows.collect() }
    }
}

fn cells(line: &str) -> Vec<String> {
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn cell(word: &str) -> Cell {
    match word {
        "yes" => Cell::Allowed,
        number => Cell::Refused(number.parse().expect("a cell is `yes` or a status")),
    }
}

/// Methods as routers have them.
const METHODS: [&str; 6] = ["get", "post", "put", "patch", "delete", "any"];

/// The methods in what follows the path of a route, as `, get(page).post(form))`, up to the end of the route.
fn methods(after: &str) -> impl Iterator<Item = &str> {
    let mut depth = 1;
    let end = after.find(|letter: char| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    let calls = after[..end.unwrap_or(after.len())].split('(');
    let names =
        calls.filter_map(|call| call.rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').next());
    names.filter(|name| METHODS.contains(name))
}

/// Every route whose path is given to a router as a literal, anywhere in the server: `GET /sign-in`.
pub(super) fn routes_in_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join("server/src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the server's sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).expect("a source");
                for after in text.split(".route(").skip(1) {
                    let literal = after.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'));
                    if let Some((path, rest)) = literal.filter(|(path, _)| path.starts_with('/')) {
                        found.extend(methods(rest).map(|method| format!("{} {path}", method.to_uppercase())));
                    }
                }
            }
        }
    }
    assert!(found.len() > 10, "the routes of the sources are found: {found:?}");
    found
}
