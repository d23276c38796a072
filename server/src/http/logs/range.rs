//! Which bytes a request wants (RFC 9110 §14): one range at most, as logs and downloads ask for.

use axum::http::{HeaderMap, header};

/// What a request wants of something with a known number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it. Also when the range is of a form that is not known here, as the standard says.
    All,
    /// The bytes from `first` to `last`, both included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// A range that lies outside.
    Nothing,
}

/// Reads `Range`; it counts only if `If-Range`, when sent, is `tag`.
pub(super) fn wanted(headers: &HeaderMap, size: u64, tag: Option<&str>) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(range) = text(header::RANGE) else { return Wanted::All };
    if text(header::IF_RANGE).is_some_and(|condition| Some(condition) != tag) {
        return Wanted::All;
    }
    read(range, size).unwrap_or(Wanted::All)
}

fn read(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let part = |first: u64, last: u64| {
        if first < size { Wanted::Part { first, last: last.min(size - 1) } } else { Wanted::Nothing }
    };
    match (first.is_empty(), last.is_empty()) {
        (true, true) => None,
        (false, true) => Some(part(first.parse().ok()?, u64::MAX)),
        (true, false) => match last.parse::<u64>().ok()? {
            0 => Some(Wanted::Nothing),
            count => Some(part(size.saturating_sub(count), u64::MAX)),
        },
        (false, false) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            if first > last { None } else { Some(part(first, last)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        wanted(&headers, size, None)
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |first, last| Wanted::Part { first, last };
        assert_eq!(check("bytes=0-9", 100), part(0, 9));
        assert_eq!(check("bytes=90-200", 100), part(90, 99));
        assert_eq!(check("bytes=99-", 100), part(99, 99));
        assert_eq!(check("bytes=-10", 100), part(90, 99));
        assert_eq!(check("bytes=-1000", 100), part(0, 99));
        assert_eq!(check("bytes=100-", 100), Wanted::Nothing);
        assert_eq!(check("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(check("bytes=-0", 100), Wanted::Nothing);
        assert_eq!(check("bytes=-5", 0), Wanted::Nothing);
        for unknown in
            ["bytes=5-1", "bytes=-", "bytes=a-b", "bytes=0-1,5-6", "lines=1-2", "bytes=99999999999999999999-"]
        {
            assert_eq!(check(unknown, 100), Wanted::All, "{unknown}");
        }
    }

    #[test]
    fn range_of_another_version_gives_all() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-1".parse().unwrap());
        headers.insert(header::IF_RANGE, "\"old\"".parse().unwrap());
        assert_eq!(wanted(&headers, 100, Some("\"new\"")), Wanted::All);
        assert_eq!(wanted(&headers, 100, None), Wanted::All);
        assert_eq!(wanted(&headers, 100, Some("\"old\"")), Wanted::Part { first: 0, last: 1 });
    }
}
