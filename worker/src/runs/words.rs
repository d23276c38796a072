//! The words people read about a run: where it waits, how it ended.

use coderoom_protocol::run::{Reason, Run};

/// Phase of a queued run.
pub(super) fn waiting(position: Option<u32>) -> String {
    match position {
        Some(1) => "waiting, next in line".into(),
        Some(position) => format!("waiting, {position}{} in line", ordinal(position)),
        None => "waiting".into(),
    }
}

fn ordinal(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// One or two sentences about the end of `run`, whose reason is known; `detail` is what the executor added.
pub(super) fn ending(run: &Run, detail: Option<&str>) -> Option<String> {
    let reason = run.reason?;
    let first = match (reason, run.exit_code, run.signal, &run.stopped_by) {
        (Reason::ExitCode, Some(code), _, _) => format!("The program ended with exit code {code}."),
        (Reason::Signal, _, Some(signal), _) => format!("The program was ended by {}.", signal_name(signal)),
        (Reason::StoppedBy, _, _, Some(name)) => format!("Stopped by {name}."),
        _ => reason.sentence().to_owned(),
    };
    let parts = [first.as_str(), detail.unwrap_or_default(), reason.hint()];
    let parts: Vec<&str> = parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect();
    Some(parts.join(" "))
}

/// `signal 11 (SIGSEGV: it used memory that is not its own)`.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL: a broken instruction",
        6 => "SIGABRT: it gave up itself",
        7 => "SIGBUS: it used memory that is not there",
        8 => "SIGFPE: a forbidden calculation",
        9 => "SIGKILL",
        11 => "SIGSEGV: it used memory that is not its own",
        13 => "SIGPIPE: it wrote to a closed pipe",
        15 => "SIGTERM",
        24 => "SIGXCPU: it used too much CPU time",
        25 => "SIGXFSZ: it wrote a file that is too large",
        31 => "SIGSYS: a system call that is not allowed",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_in_line_reads_like_speech() {
        let words: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(|n| waiting(Some(n))).into();
        assert_eq!(words[0], "waiting, next in line");
        let ordinals: Vec<&str> =
            words[1..].iter().map(|w| &w["waiting, ".len()..w.len() - " in line".len()]).collect();
        assert_eq!(ordinals, ["2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
        assert_eq!(waiting(None), "waiting");
    }
}
