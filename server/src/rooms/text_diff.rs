//! The smallest edit from one text to another, in the pieces that a replica takes: offsets in UTF-16 code units.
//!
//! The cost is bounded: large differences are compared by lines, within a time limit, and only small ones by characters.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

/// Pieces larger than this (in characters, old and new together) are not compared by characters: that is quadratic.
const CHARACTERS: usize = 2_000;
/// Time for one comparison; after it what is left counts as replaced.
const TIME_LIMIT: Duration = Duration::from_millis(200);

/// (offset, removed, inserted), each in the text as it is when the pieces before are done.
pub(super) type Piece = (u32, u32, String);

/// Pieces that turn `old` into `new`; empty when they are equal.
pub(super) fn pieces(old: &str, new: &str) -> Vec<Piece> {
    let prefix = common_prefix(old, new);
    let (old_rest, new_rest) = (&old[prefix..], &new[prefix..]);
    let suffix = common_suffix(old_rest, new_rest);
    let old_middle = &old_rest[..old_rest.len() - suffix];
    let new_middle = &new_rest[..new_rest.len() - suffix];
    let mut out = Pieces { offset: utf16_len(&old[..prefix]), pieces: Vec::new() };
    by_lines(old_middle, new_middle, Instant::now() + TIME_LIMIT, &mut out);
    out.pieces
}

/// Gathers pieces from left to right.
struct Pieces {
    /// Where the next piece begins in the new text.
    offset: u32,
    pieces: Vec<Piece>,
}

impl Pieces {
    fn keep(&mut self, text: &str) {
        self.offset += utf16_len(text);
    }

    fn replace(&mut self, old: &str, new: &str) {
        if !old.is_empty() || !new.is_empty() {
            self.pieces.push((self.offset, utf16_len(old), new.to_owned()));
            self.offset += utf16_len(new);
        }
    }
}

fn by_lines(old: &str, new: &str, deadline: Instant, out: &mut Pieces) {
    if old.is_empty() || new.is_empty() {
        return out.replace(old, new);
    }
    if is_small(old, new) {
        return by_characters(old, new, deadline, out);
    }
    let old_lines: Vec<&str> = old.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = new.split_inclusive('\n').collect();
    for op in capture_diff_slices_deadline(Algorithm::Myers, &old_lines, &new_lines, Some(deadline)) {
        let (old_part, new_part) = (old_lines[op.old_range()].concat(), new_lines[op.new_range()].concat());
        match op {
            DiffOp::Equal { .. } => out.keep(&old_part),
            _ if is_small(&old_part, &new_part) => by_characters(&old_part, &new_part, deadline, out),
            _ => out.replace(&old_part, &new_part),
        }
    }
}

fn by_characters(old: &str, new: &str, deadline: Instant, out: &mut Pieces) {
    let old_chars: Vec<char> = old.chars().collect();
    let new_chars: Vec<char> = new.chars().collect();
    for op in capture_diff_slices_deadline(Algorithm::Myers, &old_chars, &new_chars, Some(deadline)) {
        let old_part: String = old_chars[op.old_range()].iter().collect();
        match op {
            DiffOp::Equal { .. } => out.keep(&old_part),
            _ => out.replace(&old_part, &new_chars[op.new_range()].iter().collect::<String>()),
        }
    }
}

fn is_small(old: &str, new: &str) -> bool {
    // Bytes are at least as many as characters.
    old.len() + new.len() <= CHARACTERS
}

fn utf16_len(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

fn common_prefix(a: &str, b: &str) -> usize {
    let mut end = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    while !a.is_char_boundary(end) || !b.is_char_boundary(end) {
        end -= 1;
    }
    end
}

fn common_suffix(a: &str, b: &str) -> usize {
    let mut length = a.bytes().rev().zip(b.bytes().rev()).take_while(|(x, y)| x == y).count();
    while !a.is_char_boundary(a.len() - length) || !b.is_char_boundary(b.len() - length) {
        length -= 1;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::{super::replica::Replica, *};

    /// Applies the pieces to a real document; gives how many characters were written anew.
    fn check(old: &str, new: &str) -> usize {
        let replica = Replica::new(5);
        replica.edit([(0, 0, old.to_owned())]).unwrap();
        let pieces = pieces(old, new);
        let written = pieces.iter().map(|(_, _, inserted)| inserted.chars().count()).sum();
        replica.edit(pieces).unwrap();
        assert_eq!(replica.text().unwrap(), new);
        written
    }

    #[test]
    fn small_changes_make_small_edits() {
        assert_eq!(check("same", "same"), 0);
        assert_eq!(check("", "new"), 3);
        assert_eq!(check("gone", ""), 0);
        assert_eq!(check("a = 1\nb = 2\n", "a = 1\nb = 3\n"), 1);
        assert_eq!(check("aaa", "aaaa"), 1);
        assert_eq!(check("x😀y😁z", "x😀y😂z"), 1);
        assert_eq!(check("é", "è"), 1);
    }

    #[test]
    fn line_ends_are_kept_as_they_are() {
        assert_eq!(check("a\r\nb\r\n", "a\nb\n"), 0);
        assert_eq!(check("a\nb\n", "a\r\nb\r\n"), 2);
    }

    #[test]
    fn large_texts_are_compared_by_lines_and_characters() {
        let old: String = (0..5_000).map(|number| format!("line {number} 😀\n")).collect();
        let new = old.replace("line 7 ", "line seven ").replace("line 4000 ", "Line 4000 ") + "end";
        assert!(check(&old, &new) < 20);
    }

    #[test]
    fn unrelated_texts_end_in_time() {
        let old: String = (0..20_000).map(|number| format!("{}\n", number * 7 % 1_000)).collect();
        let new: String = (0..20_000).map(|number| format!("{}\n", number * 13 % 997)).collect();
        check(&old, &new);
    }
}
