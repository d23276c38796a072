//! Lists tasks page by page, the last changed first. A list has only what its asker is a member of.

use std::collections::BTreeSet;

use coderoom_backing::{
    tables::{Row, TablesError, Value},
    values,
};
use coderoom_protocol::{
    control::{Language, UserSummary},
    ids::TaskId,
    problem::{ErrorCode, WireError},
    role::Role,
    run::RunState,
    task::{TaskLine, TaskPage},
};

use super::{Tasks, create_task::search_key, failed};
use crate::people::{Identity, live_role};

/// Most tasks of one page.
const MAX_PAGE: u32 = 200;
/// Tasks of a page when nothing is said.
const DEFAULT_PAGE: u32 = 50;
/// Longest search, in characters.
const MAX_SEARCH_CHARS: usize = 200;
/// Most different words of a search: each looks through all texts.
const MAX_SEARCH_WORDS: usize = 8;

/// Which tasks are wanted; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Every word of it must be in the name or the remarks, in any letter case.
    pub search: Option<String>,
    /// Of this language.
    pub language: Option<Language>,
    /// State of the newest run; `NotSubmitted` finds tasks without runs.
    pub run_state: Option<RunState>,
    /// Tasks of all users; only administrators may ask for it.
    pub all: bool,
    /// Where the page begins: [`TaskPage::next`] of the page before.
    pub cursor: Option<String>,
    /// Most tasks, 1 to 200.
    pub limit: Option<u32>,
}

impl Tasks {
    /// A page of tasks. Fails with `not_allowed` when all tasks are asked for by somebody who is no administrator, and with
    /// `invalid` for a cursor that this server did not give.
    pub async fn list(&self, identity: &Identity, filter: &TaskFilter) -> Result<TaskPage, WireError> {
        if filter.all && !identity.is_admin {
            return Err(WireError::new(
                ErrorCode::NotAllowed,
                "Only administrators may list the tasks of all users. Leave out `all`.",
            ));
        }
        let limit = filter.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE);
        let (sql, values) = query(identity, self.clock.now_ms(), filter, limit)?;
        let step = "list tasks";
        let rows = if filter.search.is_some() {
            // A search looks at every task, so it takes its turn.
            let _turn = self.tables.long_read().await.map_err(failed::tables(step))?;
            let mut tx = self.tables.begin_read().await.map_err(failed::tables(step))?;
            tx.query(sql, values).await
        } else {
            self.tables.query(sql, values).await
        };
        let rows = rows.map_err(failed::tables(step))?;
        let mut tasks = rows
            .iter()
            .map(|row| read_line(row, identity))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed::tables(step))?;
        let more = tasks.len() > limit as usize;
        tasks.truncate(limit as usize);
        let next = tasks.last().filter(|_| more).map(|last| format!("{}.{}", last.updated_at, last.id));
        Ok(TaskPage { tasks, next })
    }
}

/// The query for one more task than `limit`, which tells whether there is another page.
fn query(identity: &Identity, now: i64, filter: &TaskFilter, limit: u32) -> Result<(String, Vec<Value>), WireError> {
    let membership = if filter.all { "LEFT JOIN" } else { "JOIN" };
    let role = live_role("$2");
    let mut sql = format!(
        "SELECT t.id, t.name, t.language, t.remarks, {role}, r.state, r.id, u.id, u.name, t.created_at, t.updated_at \
         FROM tasks t {membership} members m ON m.task_id = t.id AND m.user_id = $1 \
         AND {role} IS NOT NULL LEFT JOIN runs r ON r.task_id = t.id AND r.number = t.run_count \
         LEFT JOIN users u ON u.id = t.created_by WHERE t.import_of IS NULL"
    );
    let mut values = values![identity.user.to_string(), now];
    if let Some(tasks) = identity.grant.tasks() {
        let first = values.len() + 1;
        let marks: Vec<String> = (first..first + tasks.len()).map(|n| format!("${n}")).collect();
        sql.push_str(&format!(" AND t.id IN ({})", marks.join(", ")));
        values.extend(tasks.iter().map(|task| Value::from(task.to_string())));
    }
    let mut and = |condition: &str, value: Value| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&condition.replace("$n", &format!("${}", values.len())));
    };
    if let Some(language) = filter.language {
        and("t.language = $n", language.as_str().into());
    }
    match filter.run_state {
        None => {}
        Some(RunState::NotSubmitted) => and("(r.id IS NULL OR r.state = $n)", 0.into()),
        Some(state) => and("r.state = $n", i64::from(u8::from(state)).into()),
    }
    for word in words(filter.search.as_deref().unwrap_or_default())? {
        and("t.search_key LIKE $n ESCAPE '!'", word.into());
    }
    if let Some(cursor) = &filter.cursor {
        let (updated_at, id) = read_cursor(cursor)?;
        and("t.updated_at <= $n", updated_at.into());
        // Among those changed in the same millisecond the ids decide.
        let before = values.len();
        values.push(id.to_string().into());
        sql.push_str(&format!(" AND (t.updated_at < ${before} OR t.id < ${})", values.len()));
    }
    sql.push_str(&format!(" ORDER BY t.updated_at DESC, t.id DESC LIMIT {}", limit + 1));
    Ok((sql, values))
}

/// The patterns for `LIKE` of the words of a search.
fn words(search: &str) -> Result<Vec<String>, WireError> {
    if search.chars().count() > MAX_SEARCH_CHARS {
        return Err(WireError::new(
            ErrorCode::Invalid,
            format!("A search may have {MAX_SEARCH_CHARS} characters. Shorten it."),
        ));
    }
    let key = search_key(search, "");
    let words: BTreeSet<&str> = key.split_whitespace().collect();
    if words.len() > MAX_SEARCH_WORDS {
        return Err(WireError::new(
            ErrorCode::Invalid,
            format!("A search may have {MAX_SEARCH_WORDS} different words. Leave some out."),
        ));
    }
    let escape = |word: &str| word.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    Ok(words.into_iter().map(|word| format!("%{}%", escape(word))).collect())
}

fn read_cursor(cursor: &str) -> Result<(i64, TaskId), WireError> {
    let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| {
        WireError::new(
            ErrorCode::Invalid,
            "This cursor is not one that a list gave. Use `next` of the page before, or begin again without one.",
        )
    })
}

fn read_line(row: &Row, identity: &Identity) -> Result<TaskLine, TablesError> {
    let fault = |what: &str| TablesError::Fault(format!("a task's {what} cannot be read"));
    let member = row.opt_text(4)?.map(|word| Role::parse(word).ok_or_else(|| fault("role"))).transpose()?;
    let state = u8::try_from(row.opt_int(5)?.unwrap_or(0)).ok().and_then(|number| RunState::try_from(number).ok());
    Ok(TaskLine {
        id: row.parse(0)?,
        name: row.text(1)?.to_owned(),
        language: Language::parse(row.text(2)?).ok_or_else(|| fault("language"))?,
        remarks: row.text(3)?.to_owned(),
        role: if identity.is_admin { Role::Owner } else { member.ok_or_else(|| fault("role"))? }
            .min(identity.grant.ceiling()),
        run_state: state.ok_or_else(|| fault("state"))?,
        newest_run: row.opt_parse(6)?,
        here: Vec::new(),
        created_by: match (row.opt_parse(7)?, row.opt_text(8)?) {
            (Some(id), Some(name)) => Some(UserSummary { id, name: name.to_owned() }),
            _ => None,
        },
        created_at: row.int(9)?,
        updated_at: row.int(10)?,
    })
}
