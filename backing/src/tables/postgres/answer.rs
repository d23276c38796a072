//! Runs one statement on a connection: prepares it once per connection, binds by the types the server deduced, reads the
//! rows.

use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Column, Either, Executor, Row as _, SqlSafeStr, SqlStr, Statement as _, TypeInfo, ValueRef,
    postgres::{PgArguments, PgConnection, PgRow, PgTypeInfo, types::Oid},
};

use super::fault::{Failure, mistake};
use crate::tables::{Row, Statement, TablesError, Value};

/// Numbers of the types that values are declared with; they are fixed in `pg_type.dat`.
const INT8: Oid = Oid(20);
const TEXT: Oid = Oid(25);
const BYTEA: Oid = Oid(17);
/// "Deduce it yourself": NULL fits everywhere.
const UNSPECIFIED: Oid = Oid(0);

/// Runs `statement` to its end; gives its rows and how many it touched.
pub(super) async fn run(connection: &mut PgConnection, statement: &Statement) -> Result<(Vec<Row>, u64), Failure> {
    // PostgreSQL takes a value that has no placeholder; SQLite's twin does not.
    let placeholders = highest_placeholder(&statement.sql.postgres);
    if placeholders != statement.values.len() {
        return mistake(format!("{} values were given for {placeholders} placeholders", statement.values.len()));
    }
    let text = text_of(statement);
    let declared: Vec<PgTypeInfo> = statement.values.iter().map(declared_type).collect();
    let prepared = connection.prepare_with(text, &declared).await?;
    let wanted = match prepared.parameters() {
        Some(Either::Left(types)) => types,
        _ => &[],
    };
    let arguments = bind(wanted, &statement.values)?;
    let mut found = Vec::new();
    let mut touched = 0;
    let mut answers = connection.fetch_many(prepared.query_with(arguments));
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => touched = done.rows_affected(),
            Either::Right(row) => found.push(read(&row)?),
        }
    }
    Ok((found, touched))
}

/// The largest number after a `$` in the text, 0 for none.
fn highest_placeholder(text: &str) -> usize {
    let after = text.split('$').skip(1);
    let numbers = after.filter_map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse::<usize>().ok()
    });
    numbers.max().unwrap_or(0)
}

/// Statements come from this program's own texts; values never become part of one.
fn text_of(statement: &Statement) -> SqlStr {
    match &statement.sql.postgres {
        std::borrow::Cow::Borrowed(text) => text.into_sql_str(),
        std::borrow::Cow::Owned(text) => AssertSqlSafe(text.clone()).into_sql_str(),
    }
}

fn declared_type(value: &Value) -> PgTypeInfo {
    PgTypeInfo::with_oid(match value {
        Value::Null => UNSPECIFIED,
        Value::Int(_) => INT8,
        Value::Text(_) => TEXT,
        Value::Blob(_) => BYTEA,
    })
}

/// Encodes each value as the type its placeholder has: that of the first use of the text on this connection.
fn bind(wanted: &[PgTypeInfo], values: &[Value]) -> Result<PgArguments, Failure> {
    if wanted.len() != values.len() {
        return mistake(format!("{} values were given for {} placeholders", values.len(), wanted.len()));
    }
    let mut arguments = PgArguments::default();
    for (number, (wanted, value)) in (1..).zip(wanted.iter().zip(values)) {
        let added = match (value, wanted.name()) {
            (Value::Null, _) => add(&mut arguments, None::<i64>),
            (Value::Int(value), "INT8") => add(&mut arguments, *value),
            (Value::Int(value), "INT4") => match i32::try_from(*value) {
                Ok(value) => add(&mut arguments, value),
                Err(_) => return mistake(format!("${number} is too large for its place in the statement")),
            },
            (Value::Text(value), _) if value.contains('\0') => return Err(Failure::Ours(TablesError::Nul)),
            (Value::Text(value), "TEXT" | "VARCHAR" | "UNKNOWN") => add(&mut arguments, value.as_str()),
            (Value::Blob(value), "BYTEA") => add(&mut arguments, &value[..]),
            (_, name) => return mistake(format!("${number} should be of type {name}")),
        };
        added.map_err(|error| Failure::Sqlx(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

fn add<'q, T>(arguments: &mut PgArguments, value: T) -> Result<(), sqlx::error::BoxDynError>
where
    T: sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::Arguments::add(arguments, value)
}

/// The columns of a row, from PostgreSQL's binary format.
fn read(row: &PgRow) -> Result<Row, Failure> {
    let mut cells = Vec::with_capacity(row.len());
    for column in row.columns() {
        let position = column.ordinal();
        let value = row.try_get_raw(position)?;
        if value.is_null() {
            cells.push(Value::Null);
            continue;
        }
        let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
        cells.push(match column.type_info().name() {
            "INT8" | "INT4" | "INT2" => Value::Int(integer(bytes)),
            "BOOL" => Value::Int(i64::from(bytes == [1])),
            "TEXT" | "VARCHAR" | "NAME" => match std::str::from_utf8(bytes) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => return mistake(format!("column {position} is not UTF-8")),
            },
            "BYTEA" => Value::Blob(Bytes::copy_from_slice(bytes)),
            // What `SUM` makes of integers.
            "NUMERIC" => match whole_numeric(bytes) {
                Some(number) => Value::Int(number),
                None => return mistake(format!("column {position} is not a whole number that fits")),
            },
            "VOID" => Value::Null,
            name => return mistake(format!("column {position} ({}) is of type {name}", column.name())),
        });
    }
    Ok(Row(cells))
}

/// A signed number of 2, 4 or 8 bytes, most significant first.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut whole = if negative { [0xff; 8] } else { [0; 8] };
    let start = whole.len().saturating_sub(bytes.len());
    whole[start..].copy_from_slice(&bytes[bytes.len().saturating_sub(8)..]);
    i64::from_be_bytes(whole)
}

/// A NUMERIC that is a whole number of 64 bits. Its binary form (`numeric_send` in PostgreSQL's numeric.c): four numbers of
/// two bytes (count of digits, weight of the first, sign, scale), then the digits to base 10,000, without trailing zeros.
fn whole_numeric(bytes: &[u8]) -> Option<i64> {
    const NEGATIVE: i16 = 0x4000;
    let mut words = bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]]));
    let (count, weight, sign, _scale) = (words.next()?, words.next()?, words.next()?, words.next()?);
    if (sign != 0 && sign != NEGATIVE) || count > weight.checked_add(1)? {
        return None;
    }
    let mut number = 0_i64;
    for _ in 0..=weight {
        let digit = i64::from(words.next().unwrap_or(0));
        // Towards the smallest number, which has no positive twin.
        number = number.checked_mul(10_000)?.checked_sub(digit)?;
    }
    if sign == NEGATIVE { Some(number) } else { number.checked_neg() }
}

#[cfg(test)]
mod tests {
    use super::{highest_placeholder, integer, whole_numeric};

    #[test]
    fn sums_are_whole_numbers() {
        let numeric = |words: &[i16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        assert_eq!(whole_numeric(&numeric(&[0, 0, 0, 0])), Some(0));
        assert_eq!(whole_numeric(&numeric(&[2, 1, 0, 0, 12, 3456])), Some(123_456));
        assert_eq!(whole_numeric(&numeric(&[1, 2, 0x4000, 0, 7])), Some(-700_000_000));
        assert_eq!(whole_numeric(&numeric(&[5, 4, 0x4000, 0, 922, 3372, 368, 5477, 5808])), Some(i64::MIN));
        assert_eq!(whole_numeric(&numeric(&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808])), None, "too large");
        assert_eq!(whole_numeric(&numeric(&[1, -1, 0, 1, 5000])), None, "a half");
        assert_eq!(whole_numeric(&numeric(&[0, 0, -0x4000, 0])), None, "not a number");
    }

    #[test]
    fn placeholders_are_counted_by_the_highest() {
        assert_eq!(highest_placeholder("SELECT 1"), 0);
        assert_eq!(highest_placeholder("x = $2 OR y = $10 + $2 AND z = '$'"), 10);
    }

    #[test]
    fn integers_of_all_widths_keep_their_sign() {
        assert_eq!(integer(&(-2_i16).to_be_bytes()), -2);
        assert_eq!(integer(&i32::MIN.to_be_bytes()), i64::from(i32::MIN));
        assert_eq!(integer(&i64::MAX.to_be_bytes()), i64::MAX);
        assert_eq!(integer(&[]), 0);
    }
}
