//! The rules for users' names, and the key under which two names count as the same. Nothing here touches the tables.

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use unicode_normalization::UnicodeNormalization as _;

/// Longest name, in characters.
pub const MAX_NAME_CHARACTERS: usize = 64;

/// Longest name in bytes of UTF-8, whatever its form: a decomposed one has up to three times the bytes of NFC (UAX 15, §9.1).
const MAX_NAME_BYTES: usize = MAX_NAME_CHARACTERS * 4 * 3;

/// Whether nobody can be called so. What it costs to find out has a bound: normal forms and folding make names longer.
fn is_too_long(name: &str) -> bool {
    name.len() > MAX_NAME_BYTES || name.nfc().count() > MAX_NAME_CHARACTERS
}

/// A name in the form in which it is stored: NFC, without spaces around it. The error says which rule it breaks.
pub fn normal_name(name: &str) -> Result<String, WireError> {
    let name = name.trim();
    let too_long = is_too_long(name);
    let name: String = if too_long { String::new() } else { name.nfc().collect() };
    let refuse = |why: &str| Err(WireError::new(ErrorCode::Invalid, format!("The name {why}.")));
    if too_long {
        refuse(&format!("is longer than {MAX_NAME_CHARACTERS} characters"))
    } else if name.is_empty() {
        refuse("is empty")
    } else if name.chars().any(is_invisible) {
        refuse("has control or invisible characters")
    } else if name.contains(['/', '\\', '?', '#', '%']) {
        refuse("has one of / \\ ? # %, which cannot stand in an address")
    } else if name == "." || name == ".." {
        refuse("would be a step in an address")
    } else if name.parse::<UserId>().is_ok() {
        refuse("looks like an id")
    } else {
        Ok(name)
    }
}

/// Whether a character shows nothing of its own: controls, marks of direction, and the default ignorable code points (Unicode
/// 17, DerivedCoreProperties). With one of them a name looks like another.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The key of a name: two names with the same key are the same name. NFKC and full case folding (Unicode TR 21, D146).
/// `None`: the name is longer than anybody's.
#[must_use]
pub fn name_key(name: &str) -> Option<String> {
    let name = name.trim();
    if is_too_long(name) {
        return None;
    }
    let folded = |text: &str| caseless::default_case_fold_str(text).nfkc().collect::<String>();
    // Folding can undo the normal form and the other way round; twice is stable.
    Some(folded(&folded(&name.nfkc().collect::<String>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_share_a_key() {
        for (a, b) in [("Ada", "aDA"), ("Straße", "STRASSE"), ("ﬁona", "Fiona"), ("Ａda", "ada"), ("e\u{301}va", "Éva")]
        {
            assert!(name_key(a).is_some() && name_key(a) == name_key(b), "{a} {b}");
        }
        assert_ne!(name_key("ada"), name_key("adam"));
    }

    #[test]
    fn names_that_nobody_can_have_get_no_key() {
        // One character of 3 bytes that folds into 18.
        let expands = |count| "\u{fdfa}".repeat(count);
        assert!(name_key(&expands(MAX_NAME_CHARACTERS)).is_some());
        assert_eq!(name_key(&expands(MAX_NAME_CHARACTERS + 1)), None);
        // Its normal form has fewer characters, so it may belong to somebody.
        assert_eq!(name_key(&"e\u{301}".repeat(MAX_NAME_CHARACTERS)), name_key(&"é".repeat(MAX_NAME_CHARACTERS)));
        assert_eq!(name_key(&format!(" {}", "\u{301}".repeat(1 << 20))), None);
    }

    #[test]
    fn bad_names_are_refused_with_the_rule() {
        let long = "x".repeat(MAX_NAME_CHARACTERS + 1);
        let id = UserId::new().to_string();
        for bad in [
            "",
            "   ",
            ".",
            "..",
            "a/b",
            "a\u{0}b",
            "a\u{202e}b",
            "a\u{ad}b",
            "a\u{3164}",
            "100%",
            long.as_str(),
            id.as_str(),
        ] {
            assert_eq!(normal_name(bad).map_err(|e| e.code), Err(ErrorCode::Invalid), "{bad:?}");
        }
        assert_eq!(normal_name(" 李雷 "), Ok("李雷".into()));
        assert_eq!(normal_name("ada@example.org"), Ok("ada@example.org".into()));
    }
}
