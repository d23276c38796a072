//! Text of programs and of other people on its way to a terminal: colours go through, everything else that a terminal
//! would obey is shown instead. Nothing is changed on the way to a file or a pipe.

/// Longest colour sequence that is let through, in bytes: `ESC [ 38;2;255;255;255;48;2;255;255;255 m` has 37.
const MAX_SEQUENCE_BYTES: usize = 64;

const ESCAPE: u8 = 0x1b;

/// Makes a stream of bytes harmless, chunk by chunk, wherever the chunks are cut. Through go printable characters, tabs,
/// line feeds, carriage returns, and the sequences that set colours (SGR, `ESC [ … m`, ECMA-48 §8.3.117). Other control
/// characters are shown in caret notation, those above ASCII and bytes that are no UTF-8 as `\x9b`.
#[derive(Debug, Default)]
pub(super) struct Harmless {
    /// The begin of something whose rest must come before it can be told what it is.
    held: Vec<u8>,
    /// A colour was set, and nothing was heard of setting it back.
    coloured: bool,
}

impl Harmless {
    /// What may be written of these bytes and of what was held back before them.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(bytes.len() + self.held.len());
        for byte in bytes {
            self.take(*byte, &mut shown);
        }
        shown
    }

    /// What is left at the end, and what sets colours back.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut shown = Vec::new();
        self.give_up(&mut shown);
        if std::mem::take(&mut self.coloured) {
            shown.extend_from_slice(b"\x1b[0m");
        }
        shown
    }

    fn take(&mut self, byte: u8, shown: &mut Vec<u8>) {
        match (self.held.as_slice(), byte) {
            ([], b'\t' | b'\n' | b'\r' | b' '..=b'~') => shown.push(byte),
            ([], ESCAPE | 0x80..=0xff) | ([ESCAPE], b'[') => self.hold(byte, shown),
            ([], _) => show(byte, shown),
            // Only what colours consist of: with other parameters `m` sets what keys send.
            ([ESCAPE, b'[', ..], b'0'..=b';') if self.held.len() < MAX_SEQUENCE_BYTES => self.held.push(byte),
            ([ESCAPE, b'[', ..], b'm') => {
                self.coloured = !matches!(self.held.as_slice(), [_, _] | [_, _, b'0']);
                shown.append(&mut self.held);
                shown.push(byte);
            }
            ([0x80..=0xff, ..], 0x80..=0xff) => self.hold(byte, shown),
            _ => {
                self.give_up(shown);
                self.take(byte, shown);
            }
        }
    }

    /// Keeps a byte; a character above ASCII goes on when it is whole.
    fn hold(&mut self, byte: u8, shown: &mut Vec<u8>) {
        self.held.push(byte);
        if byte < 0x80 || byte == ESCAPE {
            return;
        }
        match std::str::from_utf8(&self.held).map(|text| text.chars().any(char::is_control)) {
            Ok(false) => shown.append(&mut self.held),
            // Some terminals obey U+009B as they do ESC [.
            Ok(true) => self.give_up(shown),
            // The rest may still come.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.held.pop();
                self.give_up(shown);
                match byte {
                    // It may begin a character itself.
                    0xc2..=0xf4 => self.held.push(byte),
                    _ => show(byte, shown),
                }
            }
        }
    }

    /// Shows what is held: it is nothing that may go through.
    fn give_up(&mut self, shown: &mut Vec<u8>) {
        std::mem::take(&mut self.held).into_iter().for_each(|byte| show(byte, shown));
    }
}

/// A whole text, harmless.
pub(super) fn harmless(text: &str) -> String {
    let mut filter = Harmless::default();
    let mut shown = filter.pass(text.as_bytes());
    shown.extend(filter.finish());
    String::from_utf8_lossy(&shown).into_owned()
}

/// A byte so that it can be read: itself, `^X`, or `\x9b`.
fn show(byte: u8, shown: &mut Vec<u8>) {
    match byte {
        b' '..=b'~' => shown.push(byte),
        0..=0x1f | 0x7f => shown.extend([b'^', byte ^ 0x40]),
        0x80..=0xff => shown.extend(format!("\\x{byte:02x}").into_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of bytes, in however many chunks they come.
    fn check(bytes: &[u8], expected: &str) {
        for size in 1..=bytes.len().max(1) {
            let mut filter = Harmless::default();
            let mut shown: Vec<u8> = bytes.chunks(size).flat_map(|chunk| filter.pass(chunk)).collect();
            shown.extend(filter.finish());
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{bytes:?} in chunks of {size}");
        }
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        check(b"a\tb\r\nc d~\n", "a\tb\r\nc d~\n");
        check("größer: 数 😀 é\n".as_bytes(), "größer: 数 😀 é\n");
        check(b"", "");
    }

    #[test]
    fn colours_go_through_and_are_set_back_at_the_end() {
        check(b"\x1b[1;31mred\x1b[0m.", "\x1b[1;31mred\x1b[0m.");
        check(b"\x1b[38:2::1:2:3mx\x1b[m", "\x1b[38:2::1:2:3mx\x1b[m");
        check(b"\x1b[8mhidden", "\x1b[8mhidden\x1b[0m");
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        check(b"\x1b]0;title\x07.", "^[]0;title^G.");
        check(b"\x1b]52;c;cm0=\x1b\\", "^[]52;c;cm0=^[\\");
        check(b"\x1b[2J\x1b[H\x1b[6n\x1b[?1049h", "^[[2J^[[H^[[6n^[[?1049h");
        check(b"\x1bP+q544e\x1b\\\x1bc\x1b(0", "^[P+q544e^[\\^[c^[(0");
        check(b"\x08\x7f\x00\x0b\x0c\x0e\x05", "^H^?^@^K^L^N^E");
    }

    #[test]
    fn sequences_that_only_look_like_colours_are_shown() {
        check(b"\x1b[>4;2m\x1b[?4m\x1b[1 m\x1b[1$m", "^[[>4;2m^[[?4m^[[1 m^[[1$m");
        check(b"\x1b\x1b[1mx\x1b[0m", "^[\x1b[1mx\x1b[0m");
        check(b"\x1b[1\x1b[2Jm", "^[[1^[[2Jm");
        check(b"\x1b[1\nm", "^[[1\nm");
        let long = [b"\x1b[".as_slice(), &[b'1'; 100], b"m"].concat();
        check(&long, &format!("^[[{}m", "1".repeat(100)));
    }

    #[test]
    fn controls_above_ascii_and_broken_characters_are_shown() {
        check(b"\xc2\x9b2J\xc2\x85", "\\xc2\\x9b2J\\xc2\\x85");
        check(b"\x9b2J", "\\x9b2J");
        check(b"\xe9t\xe9", "\\xe9t\\xe9");
        check(b"\xe2\x82\x1b[2J\xe2\x82\xac", "\\xe2\\x82^[[2J\u{20ac}");
        check(b"\xf0\x9f\xc3\xa9", "\\xf0\\x9fé");
        check(b"\xe2\x82", "\\xe2\\x82");
    }

    #[test]
    fn end_shows_what_was_held() {
        check(b"a\x1b", "a^[");
        check(b"a\x1b[1;", "a^[[1;");
        assert_eq!(harmless("ada\u{9b}2J"), "ada\\xc2\\x9b2J");
    }
}
