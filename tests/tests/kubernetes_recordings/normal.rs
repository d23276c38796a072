//! Makes texts of the recording and of the simulator comparable: names of pods, ids, versions.

use std::collections::HashMap;

/// Texts that name pods which no watch of the recording showed.
const NAMES_A_POD: [&str; 3] = ["forbidden", "Created pod", "Successfully assigned"];

/// The text with the same words on both sides. `pods` pairs names: recorded → ours.
pub(crate) fn normal(text: &str, pods: &HashMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (recorded, ours) in pods {
        text = text.replace(recorded.as_str(), "POD").replace(ours.as_str(), "POD");
    }
    let mut out = String::new();
    for word in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-') {
        let (core, end) = match word.char_indices().next_back() {
            Some((at, letter)) if !letter.is_ascii_alphanumeric() && letter != '-' => word.split_at(at),
            _ => (word, ""),
        };
        let parts: Vec<&str> = core.split('-').collect();
        let is_uid = core.len() == 36
            && parts.len() == 5
            && core.chars().all(|letter| letter.is_ascii_hexdigit() || letter == '-');
        let is_id = core.len() == 64 && core.chars().all(|letter| letter.is_ascii_hexdigit());
        let is_version = core.len() == 4 && core.chars().all(|letter| letter.is_ascii_digit());
        // Names of pods that were never made: NAME-xxxxx in a refusal.
        let is_pod = parts.last().is_some_and(|last| {
            last.len() == 5 && parts.len() > 1 && NAMES_A_POD.iter().any(|words| text.contains(words))
        });
        out += if is_uid {
            "UID"
        } else if is_id {
            "ID"
        } else if is_version {
            "VERSION"
        } else if is_pod {
            "POD"
        } else {
            core
        };
        out += end;
    }
    out
}
