//! Reading lib0 encodings from a borrowed buffer.

use thiserror::Error;

/// Why a value could not be read. The reader is not to be used further after one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The input ends inside the value, or a declared length runs past the end.
    #[error("ends in the middle of a value")]
    Truncated,
    /// A number above the limit of its place, or written with more bytes than it needs.
    #[error("has a number outside its range")]
    OutOfRange,
    /// A string that is not UTF-8.
    #[error("has a string that is not UTF-8")]
    NotUtf8,
}

/// A cursor over bytes that somebody else sent.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, ReadError> {
        let (&first, rest) = self.rest.split_first().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// A whole number from 0 to `max`: little-endian base 128, the high bit says that more follows.
    ///
    /// Every number has one form: superfluous zero bytes at the end are refused, since decoders differ
    /// in how many they take and what was checked here is passed on as it came.
    #[inline]
    pub fn var_uint(&mut self, max: u64) -> Result<u64, ReadError> {
        let first = self.byte()?;
        if first < 0x80 {
            let value = u64::from(first);
            return if value <= max { Ok(value) } else { Err(ReadError::OutOfRange) };
        }
        let mut value = u64::from(first & 0x7f);
        let mut shift = 7;
        // Nine bytes hold 63 bits, more than any number here may have.
        while shift < 63 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return if byte != 0 && value <= max { Ok(value) } else { Err(ReadError::OutOfRange) };
            }
            shift += 7;
        }
        Err(ReadError::OutOfRange)
    }

    /// A count of things that take at least `min_bytes` (not 0) each, so that it never exceeds what can follow.
    pub fn count(&mut self, min_bytes: usize) -> Result<usize, ReadError> {
        let count = self.var_uint(MAX_LEN)? as usize;
        if count > self.rest.len() / min_bytes.max(1) { Err(ReadError::Truncated) } else { Ok(count) }
    }

    /// Exactly `len` bytes.
    #[inline]
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes with their length in front.
    #[inline]
    pub fn var_bytes(&mut self) -> Result<&'a [u8], ReadError> {
        let len = self.var_uint(MAX_LEN)?;
        self.take(len as usize)
    }

    /// UTF-8 text with its length in bytes in front.
    #[inline]
    pub fn var_string(&mut self) -> Result<&'a str, ReadError> {
        std::str::from_utf8(self.var_bytes()?).map_err(|_| ReadError::NotUtf8)
    }
}

/// Lengths above this are refused before they become a `usize` (4 GiB - 1 fits on every platform we build for).
const MAX_LEN: u64 = u32::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lib0::{MAX_SAFE_INTEGER, write_bytes, write_string, write_var_uint};

    #[test]
    fn what_was_written_is_read_back() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), MAX_SAFE_INTEGER] {
            let mut bytes = Vec::new();
            write_var_uint(&mut bytes, number);
            write_string(&mut bytes, "文件.py");
            write_bytes(&mut bytes, &[1, 2, 3]);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.var_uint(MAX_SAFE_INTEGER), Ok(number));
            assert_eq!(reader.var_string(), Ok("文件.py"));
            assert_eq!(reader.var_bytes(), Ok(&[1, 2, 3][..]));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn number_above_its_limit_is_refused() {
        assert_eq!(Reader::new(&[5]).var_uint(4), Err(ReadError::OutOfRange));
        assert_eq!(Reader::new(&[0x80, 1]).var_uint(127), Err(ReadError::OutOfRange));
        assert_eq!(Reader::new(&[0xff; 12]).var_uint(u64::MAX), Err(ReadError::OutOfRange));
    }

    #[test]
    fn number_with_superfluous_bytes_is_refused() {
        assert_eq!(Reader::new(&[0x81, 0x00]).var_uint(1000), Err(ReadError::OutOfRange));
        assert_eq!(Reader::new(&[0x80, 0x80, 0x00]).var_uint(1000), Err(ReadError::OutOfRange));
    }

    #[test]
    fn declared_length_past_the_end_is_refused() {
        assert_eq!(Reader::new(&[4, 1, 2, 3]).var_bytes(), Err(ReadError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).var_bytes(), Err(ReadError::Truncated));
        assert_eq!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).var_bytes(), Err(ReadError::OutOfRange));
        assert_eq!(Reader::new(&[3, 0, 0, 0, 0]).count(2), Err(ReadError::Truncated));
        assert_eq!(Reader::new(&[2, 0, 0, 0, 0]).count(2), Ok(2));
    }

    #[test]
    fn string_that_is_not_utf8_is_refused() {
        assert_eq!(Reader::new(&[1, 0xff]).var_string(), Err(ReadError::NotUtf8));
    }
}
