//! Tasks and their trees on real tables and objects: every rule with its code, and what holds after it.

use coderoom_protocol::{
    control::Language,
    problem::ErrorCode,
    task::{NewTask, TaskChange},
    tree::{NodeKind, TreeChange},
};
use coderoom_server::tasks::TaskFilter;

use super::bench::Bench;

#[tokio::test]
async fn new_task_has_the_files_of_its_language() {
    let bench = Bench::new().await;
    for (language, main) in [(Language::Python, "run.py"), (Language::Scala, "run.scala"), (Language::R, "run.R")] {
        let new = NewTask { name: " Übung 1 ".into(), language, remarks: String::new() };
        let task = bench.tasks.create(&bench.ada, &new).await.unwrap();
        let (revision, root) = bench.tasks.tree(task).await.unwrap();
        assert_eq!(revision, 1);
        let mut names: Vec<_> = root.children.unwrap().into_iter().map(|node| (node.name, node.main)).collect();
        names.sort();
        let mut expected = vec![(main.to_owned(), true), ("run.sh".to_owned(), false)];
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(bench.tasks.summary(task).await.unwrap().unwrap().name, "Übung 1");
        let text = bench.text(task, main).await;
        assert!(text.contains("ello"), "the default program is seeded: {text}");
    }
}

#[tokio::test]
async fn names_and_remarks_have_rules() {
    let bench = Bench::new().await;
    let long = "n".repeat(201);
    for name in ["", "  ", "a\nb", long.as_str()] {
        let new = NewTask { name: name.into(), language: Language::Python, remarks: String::new() };
        assert_eq!(bench.tasks.create(&bench.ada, &new).await.unwrap_err().code, ErrorCode::Invalid, "{name:?}");
    }
    let task = bench.task().await;
    let change = TaskChange { remarks: Some("r".repeat(4_001)), name: None };
    assert_eq!(bench.tasks.update(task, &change).await.unwrap_err().code, ErrorCode::Invalid);
    let change = TaskChange { remarks: Some("r".repeat(4_000)), name: None };
    bench.tasks.update(task, &change).await.unwrap();
}

#[tokio::test]
async fn every_conflict_of_paths_is_refused_with_its_code() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.write(task, "src/lib/a.py", "a").await;
    for (path, code) in [
        ("/abs", ErrorCode::BadPath),
        ("a/../b", ErrorCode::BadPath),
        ("a\\b", ErrorCode::BadPath),
        ("a\0", ErrorCode::BadPath),
        ("", ErrorCode::BadPath),
        ("run.py", ErrorCode::PathTaken),
        ("RUN.py", ErrorCode::CaseConflict),
        ("src/lib/A.py", ErrorCode::CaseConflict),
        ("SRC/b.py", ErrorCode::CaseConflict),
        ("src/Lib/b.py", ErrorCode::CaseConflict),
        ("src", ErrorCode::FileFolderConflict),
        ("src/lib", ErrorCode::FileFolderConflict),
        ("run.py/x", ErrorCode::FileFolderConflict),
        ("Run.PY/x/y", ErrorCode::FileFolderConflict),
    ] {
        let error = bench.tasks.create_text(task, &bench.ada, path, "").await.unwrap_err();
        assert_eq!(error.code, code, "{path:?}: {error}");
        assert!(error.message.ends_with('.'), "a sentence: {error}");
        let error = bench.tasks.create_blob(task, &bench.ada, path, vec![0xff].into()).await.unwrap_err();
        assert_eq!(error.code, code, "{path:?} as a blob: {error}");
    }
    assert_eq!(bench.tasks.tree(task).await.unwrap().0, 2, "refused changes leave the revision alone");
}

#[tokio::test]
async fn names_are_kept_in_normal_form() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let made = bench.tasks.create_text(task, &bench.ada, "u\u{308}bung/数据.py", "x").await.unwrap();
    assert_eq!(made.path, "\u{fc}bung/数据.py");
    let file = bench.tasks.file_at(task, "u\u{308}bung/数据.py").await.unwrap().unwrap();
    assert_eq!(file.id, made.file);
    assert_eq!(bench.tasks.file(task, made.file).await.unwrap().unwrap(), file);
}

#[tokio::test]
async fn text_limit_holds_to_the_byte() {
    let bench = Bench::with(|settings| settings.max_text_bytes = 1_000).await;
    let task = bench.task().await;
    bench.write(task, "at", &"é".repeat(500)).await;
    let error = bench.tasks.create_text(task, &bench.ada, "over", &"x".repeat(1_001)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::FileTooLarge);
}

#[tokio::test]
async fn total_holds_to_the_byte_and_says_what_is_free() {
    let bench = Bench::with(|settings| settings.max_task_bytes = 5_000).await;
    let task = bench.task().await;
    let used = bench.tasks.tree(task).await.unwrap().1.size;
    let free = (5_000 - used) as usize;
    let blob = |size: usize| bytes::Bytes::from(vec![0xfe; size]);
    let error = bench.tasks.create_blob(task, &bench.ada, "b", blob(free + 1)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::TaskTooLarge);
    assert!(
        error.message.contains(&format!("({free} bytes) are free"))
            || error.message.contains(&format!("{free} bytes are free")),
        "{error}"
    );
    bench.tasks.create_blob(task, &bench.ada, "b", blob(free)).await.unwrap();
    // The room that a replaced blob gives back counts.
    bench.tasks.create_blob(task, &bench.ada, "b", blob(free)).await.unwrap();
    assert_eq!(
        bench.tasks.create_blob(task, &bench.ada, "b", blob(free + 1)).await.unwrap_err().code,
        ErrorCode::TaskTooLarge
    );
    assert_eq!(bench.tasks.create_text(task, &bench.ada, "t", "x").await.unwrap_err().code, ErrorCode::TaskTooLarge);
    bench.tasks.create_text(task, &bench.ada, "empty", "").await.unwrap();
    assert_eq!(bench.tasks.tree(task).await.unwrap().1.size, 5_000);
}

#[tokio::test]
async fn storage_of_a_maker_holds_when_files_come_side_by_side() {
    let bench = Bench::with(|settings| settings.max_storage_per_maker = 100_000).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        tasks.push(bench.task().await);
    }
    let uploads = tasks.iter().map(|task| bench.tasks.create_blob(*task, &bench.bob, "b", vec![0xff; 80_000].into()));
    let done = futures_util::future::join_all(uploads).await;
    let (stored, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
    assert_eq!(stored.len(), 2, "one goes beyond it, when there was room before it");
    assert!(refused.into_iter().all(|error| error.unwrap_err().code == ErrorCode::QuotaReached));
}

#[tokio::test]
async fn number_of_files_is_bounded() {
    let bench = Bench::with(|settings| settings.max_files = 3).await;
    let task = bench.task().await;
    bench.write(task, "third", "").await;
    assert_eq!(
        bench.tasks.create_text(task, &bench.ada, "fourth", "").await.unwrap_err().code,
        ErrorCode::TooManyFiles
    );
}

#[tokio::test]
async fn blob_can_be_replaced_but_takes_no_texts_place_by_itself() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let first = bench.tasks.create_blob(task, &bench.ada, "data.bin", vec![1].into()).await.unwrap();
    let second = bench.tasks.create_blob(task, &bench.ada, "data.bin", vec![1, 2].into()).await.unwrap();
    assert_eq!(first.file, second.file);
    let file = bench.tasks.file(task, first.file).await.unwrap().unwrap();
    assert_eq!((file.kind, file.size), (NodeKind::Blob, 2));
    let error = bench.tasks.create_blob(task, &bench.ada, "run.sh", vec![1].into()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PathTaken);
}

#[tokio::test]
async fn move_keeps_the_id_and_may_change_letter_case() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let file = bench.write(task, "a/x.py", "x").await;
    let changed = bench.tasks.move_path(task, &bench.ada, "a/x.py", "A/b/X.py").await.unwrap();
    assert_eq!(changed.changes, [TreeChange::Moved { file, from: "a/x.py".into(), to: "A/b/X.py".into() }]);
    assert_eq!(bench.tasks.file_at(task, "A/b/X.py").await.unwrap().unwrap().id, file);
    assert!(bench.tasks.file_at(task, "a/b/x.py").await.unwrap().is_none());
    // Onto a path below itself: the file is no longer there to be in the way.
    bench.tasks.move_path(task, &bench.ada, "A/b/X.py", "A/b/X.py/y").await.unwrap();
    let same = bench.tasks.move_path(task, &bench.ada, "run.py", "run.py").await.unwrap();
    assert!(same.changes.is_empty());
    for (from, to, code) in [
        ("nothing", "x", ErrorCode::NotFound),
        ("RUN.py", "x", ErrorCode::NotFound),
        ("run.py", "run.sh", ErrorCode::PathTaken),
        ("run.py", "Run.sh", ErrorCode::CaseConflict),
        ("run.py", "a/c", ErrorCode::CaseConflict),
        ("run.py", "A", ErrorCode::FileFolderConflict),
        ("run.py", "run.sh/x", ErrorCode::FileFolderConflict),
        ("run.py", "a//b", ErrorCode::BadPath),
    ] {
        let error = bench.tasks.move_path(task, &bench.ada, from, to).await.unwrap_err();
        assert_eq!(error.code, code, "{from} to {to}: {error}");
    }
    assert!(bench.tasks.file_at(task, "run.py").await.unwrap().is_some(), "refused moves leave the file");
}

#[tokio::test]
async fn folder_moves_as_one() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let deep = bench.write(task, "a/a/x", "1").await;
    bench.write(task, "a/a/a/x", "2").await;
    bench.write(task, "b/x", "3").await;
    bench.write(task, "aa/x", "4").await;
    let code = async |from: &str, to: &str| bench.tasks.move_path(task, &bench.ada, from, to).await.unwrap_err().code;
    assert_eq!(code("a", "a/c").await, ErrorCode::MoveIntoItself);
    assert_eq!(code("a", "b").await, ErrorCode::PathTaken);
    assert_eq!(code("a", "B").await, ErrorCode::CaseConflict);
    assert_eq!(code("a", "run.py").await, ErrorCode::FileFolderConflict);
    assert_eq!(code("a", "run.py/a").await, ErrorCode::FileFolderConflict);
    assert_eq!(code("A", "c").await, ErrorCode::NotFound);
    assert_eq!(code("a", &format!("{}z", "z/".repeat(30))).await, ErrorCode::BadPath);
    assert_eq!(code("a", &"z/".repeat(2).repeat(255)).await, ErrorCode::BadPath);
    let before = bench.paths(task).await;
    assert_eq!(before, ["a/a/a/x", "a/a/x", "aa/x", "b/x", "run.py", "run.sh"]);

    bench.tasks.move_path(task, &bench.ada, "a/a", "a").await.unwrap();
    assert_eq!(bench.paths(task).await, ["a/a/x", "a/x", "aa/x", "b/x", "run.py", "run.sh"]);
    assert_eq!(bench.tasks.file_at(task, "a/x").await.unwrap().unwrap().id, deep);
    bench.tasks.move_path(task, &bench.ada, "a", "A").await.unwrap();
    bench.tasks.move_path(task, &bench.ada, "A", "Ünter/数").await.unwrap();
    assert_eq!(bench.paths(task).await, ["aa/x", "b/x", "run.py", "run.sh", "Ünter/数/a/x", "Ünter/数/x"]);
    assert_eq!(bench.text(task, "Ünter/数/x").await, "1");
    // The keys moved too: a second move finds everything.
    bench.tasks.move_path(task, &bench.ada, "Ünter/数", "c").await.unwrap();
    assert_eq!(bench.paths(task).await, ["aa/x", "b/x", "c/a/x", "c/x", "run.py", "run.sh"]);
}

#[tokio::test]
async fn two_people_moving_at_once_leave_one_tree() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    for number in 0..20 {
        bench.write(task, &format!("a/{number}"), "x").await;
    }
    let (ada, bob) = tokio::join!(
        bench.tasks.move_path(task, &bench.ada, "a", "by-ada"),
        bench.tasks.move_path(task, &bench.bob, "a", "by-bob"),
    );
    assert!(ada.is_ok() != bob.is_ok(), "one of them wins: {ada:?} {bob:?}");
    let folder = if ada.is_ok() { "by-ada" } else { "by-bob" };
    let loser = ada.err().or(bob.err()).unwrap();
    assert_eq!(loser.code, ErrorCode::NotFound);
    let paths = bench.paths(task).await;
    assert_eq!(paths.iter().filter(|path| path.starts_with(folder)).count(), 20);
    assert_eq!(paths.len(), 22);

    let (first, second) = (format!("{folder}/1"), format!("{folder}/2"));
    let (to_x, to_upper) = tokio::join!(
        bench.tasks.move_path(task, &bench.ada, &first, "x"),
        bench.tasks.move_path(task, &bench.bob, &second, "X"),
    );
    assert!(to_x.is_ok() != to_upper.is_ok(), "only one of two names that differ in case");
}

#[tokio::test]
async fn main_file_goes_only_with_a_successor() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.write(task, "src/other.py", "x").await;
    bench.tasks.create_blob(task, &bench.ada, "data", vec![0xff].into()).await.unwrap();
    let delete =
        async |path: &str, new_main: Option<&str>| bench.tasks.delete_path(task, &bench.ada, path, new_main).await;
    assert_eq!(delete("run.py", None).await.unwrap_err().code, ErrorCode::MainFile);
    assert_eq!(delete("run.py", Some("run.py")).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(delete("run.py", Some("data")).await.unwrap_err().code, ErrorCode::NotText);
    assert_eq!(delete("run.py", Some("src")).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bench.main(task).await.as_deref(), Some("run.py"));
    let changed = delete("run.py", Some("src/other.py")).await.unwrap();
    assert_eq!(changed.changes.len(), 2);
    assert_eq!(bench.main(task).await.as_deref(), Some("src/other.py"));
    assert_eq!(delete("src", None).await.unwrap_err().code, ErrorCode::MainFile, "a folder that has the main file");
    let set = async |path: &str| bench.tasks.set_main(task, &bench.ada, path).await;
    assert_eq!(set("data").await.unwrap_err().code, ErrorCode::NotText);
    assert_eq!(set("src").await.unwrap_err().code, ErrorCode::NotFound);
    set("run.sh").await.unwrap();
    assert!(set("run.sh").await.unwrap().changes.is_empty(), "it is main already");
    delete("src", None).await.unwrap();
    assert_eq!(bench.paths(task).await, ["data", "run.sh"]);
    bench.tasks.move_path(task, &bench.ada, "run.sh", "bin/go.sh").await.unwrap();
    assert_eq!(bench.main(task).await.as_deref(), Some("bin/go.sh"), "main follows its file");
}

#[tokio::test]
async fn changes_are_announced_once_committed() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let mut heard = bench.hear(task).await;
    let file = bench.write(task, "a", "").await;
    assert_eq!(
        heard.tree().await,
        (2, vec![TreeChange::Created { file, path: "a".into(), kind: NodeKind::Text }], "ada".into())
    );
    let _ = bench.tasks.create_text(task, &bench.ada, "a", "").await.unwrap_err();
    bench.tasks.delete_path(task, &bench.bob, "a", None).await.unwrap();
    assert_eq!(heard.tree().await, (3, vec![TreeChange::Deleted { file, path: "a".into() }], "bob".into()));
}

#[tokio::test]
async fn large_changes_are_announced_in_portions_with_a_revision_each() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.fill(task, "many", 2_500).await;
    let mut heard = bench.hear(task).await;
    let changed = bench.tasks.delete_path(task, &bench.ada, "many", None).await.unwrap();
    assert_eq!((changed.revision, changed.changes.len(), changed.omitted), (4, 1_000, 1_500), "replies are bounded");
    let mut sizes = Vec::new();
    for revision in 2..=4 {
        let (heard_revision, changes, _) = heard.tree().await;
        assert_eq!(heard_revision, revision);
        sizes.push(changes.len());
    }
    assert_eq!(sizes, [1_000, 1_000, 500]);
    assert_eq!(bench.tasks.tree(task).await.unwrap().0, 4);
}

#[tokio::test]
async fn fifty_thousand_files_are_read_moved_and_deleted_in_seconds() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    let began = std::time::Instant::now();
    bench.fill(task, "many", 49_998).await;
    let filled = began.elapsed();
    assert_eq!(
        bench.tasks.create_text(task, &bench.ada, "one-more", "").await.unwrap_err().code,
        ErrorCode::TooManyFiles
    );
    let (_, root) = bench.tasks.tree(task).await.unwrap();
    assert_eq!(root.children.as_ref().unwrap()[0].children.as_ref().unwrap().len(), 50);
    let read = began.elapsed();
    bench.tasks.move_path(task, &bench.ada, "many", "Many").await.unwrap();
    let moved = began.elapsed();
    bench.tasks.delete_path(task, &bench.ada, "Many", None).await.unwrap();
    let deleted = began.elapsed();
    assert_eq!(bench.paths(task).await.len(), 2);
    eprintln!("filled {filled:?}, read {:?}, moved {:?}, deleted {:?}", read - filled, moved - read, deleted - moved);
}

#[tokio::test]
async fn list_has_only_what_its_asker_belongs_to() {
    let bench = Bench::new().await;
    let mut made = Vec::new();
    for (name, language) in
        [("Sieve of Eratosthenes", Language::Python), ("100%_sure", Language::R), ("ÄRGER", Language::Python)]
    {
        let new = NewTask { name: name.into(), language, remarks: format!("remarks on {name}") };
        made.push(bench.tasks.create(&bench.ada, &new).await.unwrap());
        bench.clock.jump(10);
    }
    let list = async |filter: TaskFilter| bench.tasks.list(&bench.ada, &filter).await.unwrap();
    let names =
        |page: &coderoom_protocol::task::TaskPage| page.tasks.iter().map(|task| task.name.clone()).collect::<Vec<_>>();
    let all = list(TaskFilter::default()).await;
    assert_eq!(names(&all), ["ÄRGER", "100%_sure", "Sieve of Eratosthenes"]);
    assert_eq!(all.next, None);
    assert_eq!(u8::from(all.tasks[0].run_state), 0);

    let search =
        async |words: &str| names(&list(TaskFilter { search: Some(words.into()), ..TaskFilter::default() }).await);
    assert_eq!(search("ärger").await, ["ÄRGER"]);
    assert_eq!(search("remarks SIEVE").await, ["Sieve of Eratosthenes"]);
    assert_eq!(search("0%_").await, ["100%_sure"]);
    assert_eq!(search("%").await, ["100%_sure"]);
    assert!(search("!").await.is_empty());
    let words = |count: usize| (0..count).map(|n| format!("w{n} w0 ")).collect::<String>();
    assert!(search(&words(8)).await.is_empty());
    let too_many = TaskFilter { search: Some(words(9)), ..TaskFilter::default() };
    assert_eq!(bench.tasks.list(&bench.ada, &too_many).await.unwrap_err().code, ErrorCode::Invalid);
    let r = list(TaskFilter { language: Some(Language::R), ..TaskFilter::default() }).await;
    assert_eq!(names(&r), ["100%_sure"]);
    let state = |state| TaskFilter { run_state: Some(state), ..TaskFilter::default() };
    assert_eq!(list(state(coderoom_protocol::run::RunState::NotSubmitted)).await.tasks.len(), 3);
    assert!(list(state(coderoom_protocol::run::RunState::Running)).await.tasks.is_empty());

    let mut paged = Vec::new();
    let mut cursor = None;
    loop {
        let page = list(TaskFilter { limit: Some(1), cursor, ..TaskFilter::default() }).await;
        paged.extend(names(&page));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, names(&all));

    bench.clock.jump(10);
    bench.write(made[0], "a", "").await;
    assert_eq!(names(&list(TaskFilter::default()).await)[0], "Sieve of Eratosthenes", "the last changed comes first");

    assert!(
        bench.tasks.list(&bench.bob, &TaskFilter::default()).await.unwrap().tasks.is_empty(),
        "a stranger sees nothing"
    );
    let everything = TaskFilter { all: true, ..TaskFilter::default() };
    assert_eq!(bench.tasks.list(&bench.bob, &everything).await.unwrap_err().code, ErrorCode::NotAllowed);
    assert_eq!(bench.tasks.list(&bench.root, &everything).await.unwrap().tasks.len(), 3);
    let bad = TaskFilter { cursor: Some("x".into()), ..TaskFilter::default() };
    assert_eq!(bench.tasks.list(&bench.ada, &bad).await.unwrap_err().code, ErrorCode::Invalid);
}

#[tokio::test]
async fn deleted_task_is_gone_with_all_rows() {
    let bench = Bench::new().await;
    let task = bench.task().await;
    bench.tasks.create_blob(task, &bench.ada, "b", vec![0xff].into()).await.unwrap();
    bench.tasks.delete(task).await.unwrap();
    assert_eq!(bench.tasks.delete(task).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(bench.tasks.tree(task).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(bench.tasks.summary(task).await.unwrap().is_none());
    for table in ["files", "edits", "members"] {
        let rows = bench.tables.query(format!("SELECT 1 FROM {table}"), vec![]).await.unwrap();
        assert!(rows.is_empty(), "{table}");
    }
    assert_eq!(bench.tasks.create_text(task, &bench.ada, "x", "").await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn tree_carries_texts_within_its_bound() {
    let bench = Bench::with(|settings| settings.max_tree_text_bytes = 4_000).await;
    let task = bench.task().await;
    bench.write(task, "a/b.txt", "line\r\nline\r\n").await;
    bench.tasks.create_blob(task, &bench.ada, "blob", vec![0xff].into()).await.unwrap();
    let (_, root) = bench.tasks.tree_with_texts(task).await.unwrap();
    let folder = &root.children.as_ref().unwrap()[0];
    assert_eq!(folder.children.as_ref().unwrap()[0].text.as_deref(), Some("line\r\nline\r\n"));
    let blob = root.children.as_ref().unwrap().iter().find(|node| node.name == "blob").unwrap();
    assert_eq!(blob.text, None);
    bench.write(task, "big", &"x".repeat(4_000)).await;
    assert_eq!(bench.tasks.tree_with_texts(task).await.unwrap_err().code, ErrorCode::BodyTooLarge);
    bench.tasks.tree(task).await.unwrap();
}
