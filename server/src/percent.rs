//! Which characters are percent-encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

/// All but those that stand for themselves anywhere in an address (RFC 3986 §2.3).
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
