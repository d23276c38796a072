//! Documentation of the variants of tagged enums. The derive keeps that of types and fields only, so this
//! reads it from the source.

/// Puts the documentation of each variant above its tag. `tag` is the tag's member, `enum_name` the enum in `source`.
pub(super) fn add_variant_docs(declaration: &str, tag: &str, enum_name: &str, source: &str) -> String {
    let mut out = declaration.to_owned();
    for (variant, docs) in variant_docs(enum_name, source) {
        let member = format!("\"{tag}\": \"{variant}\"");
        out = out.replacen(&member, &format!("/** {docs} */\n  {member}"), 1);
    }
    out
}

/// The variants of an enum as they are called on the wire, with their documentation on one line.
fn variant_docs(enum_name: &str, source: &str) -> Vec<(String, String)> {
    let begin = format!("pub enum {enum_name} {{");
    let body = source.lines().skip_while(|line| *line != begin).skip(1).take_while(|line| *line != "}");
    let mut found = Vec::new();
    let mut docs: Vec<&str> = Vec::new();
    for line in body {
        // Variants are indented by four spaces, their fields by more.
        let Some(line) = line.strip_prefix("    ").filter(|rest| !rest.starts_with([' ', '}'])) else { continue };
        if let Some(words) = line.strip_prefix("/// ") {
            docs.push(words);
        } else if !line.starts_with('#') {
            let name: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
            found.push((snake_case(&name), docs.join(" ")));
            docs.clear();
        }
    }
    found
}

fn snake_case(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_get_their_documentation() {
        let source = "pub enum Pet {\n    /// It\n    /// barks.\n    BigDog {\n        /// Not this.\n        age: u8,\n    },\n    /// It purrs.\n    #[x]\n    Cat,\n}\n";
        let laid = "type Pet = {\n  \"t\": \"big_dog\",\n} | {\n  \"t\": \"cat\",\n};";
        let documented = add_variant_docs(laid, "t", "Pet", source);
        let wanted =
            "type Pet = {\n  /** It barks. */\n  \"t\": \"big_dog\",\n} | {\n  /** It purrs. */\n  \"t\": \"cat\",\n};";
        assert_eq!(documented, wanted);
    }
}
