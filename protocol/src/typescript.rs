//! The TypeScript twin of the control channel: one file with every type a browser needs, made from the
//! Rust types with their documentation. The binary `generate-types` writes it; a test keeps it fresh.

mod layout;
mod variant_docs;

use std::{collections::BTreeMap, fmt::Write};

use layout::lay_out;
use ts_rs::{Config, TS, TypeVisitor};
use variant_docs::add_variant_docs;

use crate::{
    control::{
        ClientMessage, FileCreated, FileWritten, PROTOCOL_VERSION, SUBPROTOCOL, ServerMessage, Submitted, TASK_ADDRESS,
        TreeChanged,
    },
    gate::ROOT,
    people::{
        AuditPage, CreatedShareLink, CreatedToken, DrainWish, Invitation, LinkCode, Me, MemberList, NewShareLink,
        NewToken, PasswordChange, RoleChange, SessionList, ShareLinkList, SignIn, SignInByCode, SignInProviders,
        TokenList, Transfer, UnfinishedRuns, UserUsage,
    },
    problem::{ErrorCode, Problem},
    run::{Reason, RunState},
    task::{
        FileStored, MainChoice, Move, NewTask, RunFiles, RunPage, SubmitRequest, TaskChange, TaskDetail, TaskPage,
        TaskTree,
    },
};

/// Where the generated file lies, from the root of the project.
pub const GENERATED_FILE: &str = "web/src/messages.generated.ts";

/// What each request's reply has as `result`: the request's `type`, the result's TypeScript type.
const RESULTS: [(&str, &str); 13] = [
    ("submit", "Submitted"),
    ("stop", "Run"),
    ("rerun", "Submitted"),
    ("follow", NOTHING),
    ("unfollow", NOTHING),
    ("create_file", "FileCreated"),
    ("create_blob", "FileCreated"),
    ("move", "TreeChanged"),
    ("delete", "TreeChanged"),
    ("set_main", "TreeChanged"),
    ("write_file", "FileWritten"),
    ("tree", "Node"),
    ("ping", NOTHING),
];
const NOTHING: &str = "Record<string, never>";

/// Types that are unions with a tag: the type, its tag, the enum behind it and the file that has it.
const TAGGED: [(&str, &str, &str, &str); 3] = [
    ("ClientMessage", "type", "Request", include_str!("control.rs")),
    ("ServerMessage", "type", "ServerMessage", include_str!("control.rs")),
    ("TreeChange", "op", "TreeChange", include_str!("tree.rs")),
];

/// The text of the generated file.
#[must_use]
pub fn generate() -> String {
    let mut file =
        Declarations { config: Config::new().with_large_int("number"), types: BTreeMap::new(), text: String::new() };
    file.text.push_str(
        "// Generated from protocol/src by `cargo run -p coderoom-protocol --bin generate-types`. Do not edit.\n",
    );
    file.constant("The version of this protocol, in `welcome`.", "PROTOCOL_VERSION", &PROTOCOL_VERSION.to_string());
    file.constant(
        "The WebSocket subprotocol that asks for the control channel as text frames.",
        "SUBPROTOCOL",
        &format!("{SUBPROTOCOL:?}"),
    );
    file.constant(
        "The address of the room itself in the framing of the room socket.",
        "TASK_ADDRESS",
        &format!("{TASK_ADDRESS:?}"),
    );
    file.constant("The name of the one shared text in every document.", "ROOT", &format!("{ROOT:?}"));

    file.visit::<ClientMessage>();
    file.visit::<ServerMessage>();
    file.visit::<Submitted>();
    file.visit::<FileCreated>();
    file.visit::<TreeChanged>();
    file.visit::<FileWritten>();
    file.visit::<Problem>();
    file.visit::<RunState>();
    file.visit::<NewTask>();
    file.visit::<TaskPage>();
    file.visit::<TaskChange>();
    file.visit::<TaskDetail>();
    file.visit::<TaskTree>();
    file.visit::<Move>();
    file.visit::<MainChoice>();
    file.visit::<FileStored>();
    file.visit::<SubmitRequest>();
    file.visit::<RunPage>();
    file.visit::<RunFiles>();
    file.visit::<Me>();
    file.visit::<SignIn>();
    file.visit::<SignInByCode>();
    file.visit::<PasswordChange>();
    file.visit::<SessionList>();
    file.visit::<TokenList>();
    file.visit::<NewToken>();
    file.visit::<CreatedToken>();
    file.visit::<MemberList>();
    file.visit::<RoleChange>();
    file.visit::<Transfer>();
    file.visit::<NewShareLink>();
    file.visit::<ShareLinkList>();
    file.visit::<CreatedShareLink>();
    file.visit::<LinkCode>();
    file.visit::<Invitation>();
    file.visit::<SignInProviders>();
    file.visit::<UserUsage>();
    file.visit::<AuditPage>();
    file.visit::<UnfinishedRuns>();
    file.visit::<DrainWish>();
    file.text.extend(std::mem::take(&mut file.types).into_values());

    file.text.push_str("\n/** What the reply to each request has as `result`. */\nexport type Results = {\n");
    for (request, result) in RESULTS {
        // Writing to a string cannot fail.
        let _ = writeln!(file.text, "  {request}: {result},");
    }
    file.text.push_str("};\n");
    file.tables();
    file.text
}

/// Collects declarations. They are ordered by name: the order in which types are visited changes from build to build.
struct Declarations {
    config: Config,
    types: BTreeMap<String, String>,
    text: String,
}

impl Declarations {
    fn constant(&mut self, docs: &str, name: &str, value: &str) {
        let _ = write!(self.text, "\n/** {docs} */\nexport const {name} = {value};\n");
    }

    /// The words that go with reasons and error codes, so that the page says what the server says.
    fn tables(&mut self) {
        let reasons = Reason::ALL.iter().map(|reason| {
            let (sentence, hint) = (reason.sentence(), reason.hint());
            format!("  {}: {{ sentence: {sentence:?}, hint: {hint:?} }},\n", reason.as_str())
        });
        self.constant(
            "What happened and what to do about it (empty: nothing), for each reason.",
            "REASONS: Readonly<Record<Reason, { sentence: string; hint: string }>>",
            &format!("{{\n{}}}", reasons.collect::<String>()),
        );
        let codes = ErrorCode::ALL
            .iter()
            .map(|code| format!("  {}: {{ status: {}, title: {:?} }},\n", code.as_str(), code.status(), code.title()));
        self.constant(
            "The HTTP status and the title of each error code.",
            "ERRORS: Readonly<Record<ErrorCode, { status: number; title: string }>>",
            &format!("{{\n{}}}", codes.collect::<String>()),
        );
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        // Only derived types have a place of their own; numbers, strings and wrappers have none.
        let name = T::ident(&self.config);
        if T::output_path().is_none() || self.types.contains_key(&name) {
            return;
        }
        let docs = lay_out(&T::docs().unwrap_or_default());
        let mut declaration = lay_out(&T::decl(&self.config));
        if let Some((_, tag, enum_name, source)) = TAGGED.iter().find(|(tagged, ..)| *tagged == name) {
            declaration = add_variant_docs(&declaration, tag, enum_name, source);
        }
        self.types.insert(name, format!("\n{}\nexport {declaration}\n", docs.trim_end()));
        T::visit_dependencies(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;

    #[test]
    fn generated_file_is_fresh() {
        let path = format!("{}/../{GENERATED_FILE}", env!("CARGO_MANIFEST_DIR"));
        let stored = std::fs::read_to_string(path).expect("the generated file is part of the project");
        assert!(stored == generate(), "run `cargo run -p coderoom-protocol --bin generate-types`");
    }

    #[test]
    fn every_request_has_its_result() {
        let declared = Request::decl(&Config::new());
        let mut requests: Vec<_> =
            declared.split("\"type\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let mut answered: Vec<_> = RESULTS.iter().map(|(request, _)| *request).collect();
        requests.sort_unstable();
        answered.sort_unstable();
        assert_eq!(requests, answered);
        let file = generate();
        for (_, result) in RESULTS {
            assert!(result == NOTHING || file.contains(&format!("export type {result} ")), "{result}");
        }
    }

    #[test]
    fn numbers_that_json_holds_are_numbers() {
        let file = generate();
        assert!(!file.contains("bigint"));
        assert!(file.contains("export type RunState = 0 | 1 | 2 | 3 | 4 | 5;"));
    }
}
