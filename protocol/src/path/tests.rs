//! The rules of paths, one claim each.

use super::*;

fn path(text: &str) -> TaskPath {
    TaskPath::parse(text).unwrap()
}

#[test]
fn usual_and_chinese_names_are_accepted() {
    for text in ["run.py", "数据/实验 1/清洗.R", "src/main/scala/App.scala", ".env", "a..b", "...", "日本語🎉.py"]
    {
        assert_eq!(path(text).as_str(), text);
    }
}

#[test]
fn each_broken_rule_has_its_sentence() {
    for (text, error) in [
        ("", PathError::Empty),
        ("/etc/passwd", PathError::LeadingSlash),
        ("a//b", PathError::EmptyComponent),
        ("a/", PathError::EmptyComponent),
        ("a/./b", PathError::DotComponent),
        ("../b", PathError::DotComponent),
        ("a\\b", PathError::Backslash),
        ("a\0b", PathError::ControlCharacter),
        ("a\nb", PathError::ControlCharacter),
        ("a\u{7f}", PathError::ControlCharacter),
        ("a\u{85}", PathError::ControlCharacter),
    ] {
        assert_eq!(TaskPath::parse(text), Err(error), "{text:?}");
        assert!(error.to_string().ends_with('.'));
    }
}

#[test]
fn lengths_and_depth_are_bounded() {
    assert!(TaskPath::parse(&"a".repeat(MAX_COMPONENT_BYTES)).is_ok());
    assert_eq!(TaskPath::parse(&"a".repeat(MAX_COMPONENT_BYTES + 1)), Err(PathError::ComponentTooLong));
    let deep = vec!["a"; MAX_DEPTH].join("/");
    assert!(TaskPath::parse(&deep).is_ok());
    assert_eq!(TaskPath::parse(&format!("{deep}/a")), Err(PathError::TooDeep));
    let long = [&"x".repeat(255)[..]; 4].join("/");
    assert_eq!(long.len(), MAX_PATH_BYTES - 1);
    assert!(TaskPath::parse(&long).is_ok());
    assert_eq!(TaskPath::parse(&format!("{long}/y")), Err(PathError::TooLong));
    assert_eq!(TaskPath::parse(&"a/".repeat(1_000_000)), Err(PathError::TooLong));
    // 85 Chinese characters are 255 bytes.
    assert!(TaskPath::parse(&"文".repeat(85)).is_ok());
    assert_eq!(TaskPath::parse(&"文".repeat(86)), Err(PathError::ComponentTooLong));
}

#[test]
fn decomposed_names_become_composed() {
    assert_eq!(path("cafe\u{301}.py").as_str(), "caf\u{e9}.py");
    // A name at the limit stays valid when it is typed decomposed.
    assert_eq!(path(&"e\u{301}".repeat(127)).as_str().len(), 254);
    // The Kelvin sign is another way to write K.
    assert_eq!(path("\u{212a}.py").as_str(), "K.py");
}

#[test]
fn paths_that_differ_in_case_share_a_key() {
    for (one, other) in [("Run.PY", "run.py"), ("STRASSE", "straße"), ("Ärger/Σ", "ärger/ς"), ("K", "\u{212a}")] {
        assert_eq!(path(one).key(), path(other).key());
    }
    assert_ne!(path("a").key(), path("á").key());
    assert_eq!(path("主.py").key(), "主.py");
}

#[test]
fn family_of_a_path_is_told() {
    let file = path("a/b/c.tar.gz");
    assert_eq!(file.name(), "c.tar.gz");
    assert_eq!(file.extension(), Some("gz"));
    assert_eq!(path(".env").extension(), None);
    assert_eq!(file.parent(), Some(path("a/b")));
    assert_eq!(path("a").parent(), None);
    assert_eq!(file.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
    assert!(file.is_below(&path("a")) && file.is_below(&path("a/b")));
    assert!(!file.is_below(&file) && !path("ab/c").is_below(&path("a")));
    assert_eq!(path("a").join("b/c"), Ok(path("a/b/c")));
    assert_eq!(path("a").join(".."), Err(PathError::DotComponent));
}

#[test]
fn moving_a_folder_moves_what_is_below() {
    let (from, to) = (path("src"), path("lib/源"));
    assert_eq!(path("src/a/b").after_move(&from, &to), Ok(Some(path("lib/源/a/b"))));
    assert_eq!(path("src").after_move(&from, &to), Ok(Some(to.clone())));
    assert_eq!(path("srcs/a").after_move(&from, &to), Ok(None));
    let deep = path(&format!("src/{}", vec!["d"; MAX_DEPTH - 1].join("/")));
    assert_eq!(deep.after_move(&from, &to), Err(PathError::TooDeep));
}

#[test]
fn json_is_the_text_and_is_checked() {
    assert_eq!(serde_json::to_string(&path("a/主.py")).unwrap(), "\"a/主.py\"");
    assert!(serde_json::from_str::<TaskPath>("\"a/../b\"").is_err());
}
