//! The header `Content-Disposition` for names in any script (RFC 6266, RFC 5987), and the headers that keep a browser
//! from taking what users uploaded for a page of ours.

use axum::http::{HeaderMap, HeaderValue, header};
use percent_encoding::utf8_percent_encode;

use crate::percent::RESERVED;

/// `attachment` with a name.
#[must_use]
pub fn attachment(name: &str) -> HeaderValue {
    // For clients that read only the old form: what is not plain ASCII becomes an underscore.
    let plain = |char: char| {
        if char.is_ascii_graphic() && !matches!(char, '"' | '\\' | '%') || char == ' ' { char } else { '_' }
    };
    let fallback: String = name.chars().map(plain).collect();
    // RFC 5987 lets a few signs more stand for themselves; encoded they mean the same.
    let name = utf8_percent_encode(name, RESERVED);
    let value = format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{name}");
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("attachment"))
}

/// Marks an answer as content of users: never sniffed, never run, never framed.
pub fn harmless(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_survive() {
        assert_eq!(attachment("a b.py"), "attachment; filename=\"a b.py\"; filename*=UTF-8''a%20b.py");
        assert_eq!(attachment("数据.bin"), "attachment; filename=\"__.bin\"; filename*=UTF-8''%E6%95%B0%E6%8D%AE.bin");
        assert_eq!(attachment("x\"\r\n.txt"), "attachment; filename=\"x___.txt\"; filename*=UTF-8''x%22%0D%0A.txt");
    }
}
