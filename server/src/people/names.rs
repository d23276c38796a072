//! The rules for users' names, and the key under which two names count as the same. Nothing here touches the tables.

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use unicode_normalization::UnicodeNormalization as _;

/// Longest name, in characters.
pub const MAX_NAME_CHARACTERS: usize = 64;

/// A name in the form in which it is stored: NFC, without spaces around it. The error says which rule it breaks.
pub fn normal_name(name: &str) -> Result<String, WireError> {
    let name: String = name.trim().nfc().collect();
    let refuse = |why: &str| Err(WireError::new(ErrorCode::Invalid, format!("The name {why}.")));
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if name.is_empty() {
        refuse("is empty")
    } else if name.chars().count() > MAX_NAME_CHARACTERS {
        refuse(&format!("is longer than {MAX_NAME_CHARACTERS} characters"))
    } else if name.chars().any(invisible) {
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

/// The key of a name: two names with the same key are the same name. NFKC and full case folding (Unicode TR 21, D146).
#[must_use]
pub fn name_key(name: &str) -> String {
    let folded = |text: &str| caseless::default_case_fold_str(text).nfkc().collect::<String>();
    // Folding can undo the normal form and the other way round; twice is stable.
    folded(&folded(&name.trim().nfkc().collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_share_a_key() {
        for (a, b) in [("Ada", "aDA"), ("Straße", "STRASSE"), ("ﬁona", "Fiona"), ("Ａda", "ada"), ("e\u{301}va", "Éva")]
        {
            assert_eq!(name_key(a), name_key(b), "{a} {b}");
        }
        assert_ne!(name_key("ada"), name_key("adam"));
    }

    #[test]
    fn bad_names_are_refused_with_the_rule() {
        let long = "x".repeat(MAX_NAME_CHARACTERS + 1);
        let id = UserId::new().to_string();
        for bad in ["", "   ", ".", "..", "a/b", "a\u{0}b", "a\u{202e}b", "100%", long.as_str(), id.as_str()] {
            assert_eq!(normal_name(bad).map_err(|e| e.code), Err(ErrorCode::Invalid), "{bad:?}");
        }
        assert_eq!(normal_name(" 李雷 "), Ok("李雷".into()));
        assert_eq!(normal_name("ada@example.org"), Ok("ada@example.org".into()));
    }
}
