//! Lays out a declaration: one member a line, comments above their members, two spaces a level.

/// `declaration` as ts-rs writes it, laid out anew. Strings and comments keep their words.
pub(super) fn lay_out(declaration: &str) -> String {
    let mut page = Page { text: String::new(), level: 0 };
    let mut rest = declaration.trim();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("/**") {
            let (words, after) = after.split_once("*/").unwrap_or((after, ""));
            page.comment(words);
            rest = after;
        } else if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |at| at + 2);
            page.text.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            rest = &rest[first.len_utf8()..];
            match first {
                '{' => {
                    page.level += 1;
                    page.text.push('{');
                    page.line();
                }
                '}' => {
                    page.level = page.level.saturating_sub(1);
                    page.line();
                    page.text.push('}');
                }
                ',' if page.level > 0 => {
                    page.text.push(',');
                    page.line();
                }
                _ if first.is_whitespace() => page.space(),
                _ => page.text.push(first),
            }
        }
    }
    page.text
}

struct Page {
    text: String,
    level: usize,
}

impl Page {
    /// Begins a line, if this one has anything.
    fn line(&mut self) {
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
        self.text.push('\n');
        self.text.push_str(&"  ".repeat(self.level));
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn comment(&mut self, words: &str) {
        let lines: Vec<_> = words.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
        let words = lines.join(" ");
        self.text.push_str(&format!("/** {} */", words.trim()));
        self.line();
    }
}

#[cfg(test)]
mod tests {
    use super::lay_out;

    #[test]
    fn members_get_a_line_each_below_their_comment() {
        let raw =
            "type A = { \n/**\n * One, two.\n */\na: Array<B>, } & ({ \"type\": \"x, {y}\", } | { \"type\": \"z\", });";
        let laid = "type A = {\n  /** One, two. */\n  a: Array<B>,\n} & ({\n  \"type\": \"x, {y}\",\n} | {\n  \"type\": \"z\",\n});";
        assert_eq!(lay_out(raw), laid);
    }
}
