//! Errors as clients see them: one closed list of codes, used as `application/problem+json` (RFC 9457)
//! over HTTP and as `error` in replies of the control channel.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident $word:literal $status:literal $title:literal;)*) => {
        /// What went wrong, for programs. Each code has one HTTP status and one title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code, for documentation and tests.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word used in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// A short title that does not change from case to case.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// The request does not have the form it must have.
    BadRequest "bad_request" 400 "The request is not well formed";
    /// No or no valid credentials.
    SignInRequired "sign_in_required" 401 "Sign in first";
    /// User name or password are wrong (which of them is not said).
    WrongPassword "wrong_password" 401 "Name or password is wrong";
    /// The role is too small for this.
    NotAllowed "not_allowed" 403 "Your role does not allow this";
    /// The Origin header is not one the server trusts.
    OriginRefused "origin_refused" 403 "This origin may not connect";
    /// It is not there, or not yours.
    NotFound "not_found" 404 "Not found";
    /// The route does not know this method; the header Allow lists those it knows.
    MethodNotAllowed "method_not_allowed" 405 "This route does not know the method";
    /// The path breaks a rule; the detail says which.
    BadPath "bad_path" 422 "The path is not valid";
    /// A file with this path exists.
    PathTaken "path_taken" 409 "A file with this path exists";
    /// A path that differs only in letter case exists.
    CaseConflict "case_conflict" 409 "A path that differs only in letter case exists";
    /// A file stands where a folder would have to be, or the other way round.
    FileFolderConflict "file_folder_conflict" 409 "A file and a folder cannot share a path";
    /// A folder cannot move into itself.
    MoveIntoItself "move_into_itself" 409 "A folder cannot move into itself";
    /// The main file can only go when another becomes main in the same step.
    MainFile "main_file" 409 "The main file needs a successor";
    /// Only text files can be main or be written as text.
    NotText "not_text" 409 "The file is not a text file";
    /// One text file would be larger than it may be.
    FileTooLarge "file_too_large" 413 "The file is too large";
    /// All files together would be larger than they may be.
    TaskTooLarge "task_too_large" 413 "The task is too large";
    /// The task has too many files.
    TooManyFiles "too_many_files" 413 "The task has too many files";
    /// The request body is larger than it may be.
    BodyTooLarge "body_too_large" 413 "The request is too large";
    /// The archive breaks a rule; nothing of it was stored.
    BadArchive "bad_archive" 422 "The archive was refused";
    /// A value breaks a rule; the detail says which.
    Invalid "invalid" 422 "A value is not valid";
    /// A user with this name exists.
    NameTaken "name_taken" 409 "This name is taken";
    /// The user has an unfinished run in this task.
    RunActive "run_active" 409 "You have an unfinished run in this task";
    /// The user has as many unfinished runs as one may.
    TooManyRuns "too_many_runs" 429 "You have too many unfinished runs";
    /// The run has ended.
    RunFinished "run_finished" 409 "The run has ended";
    /// The byte range lies outside the log.
    RangeNotSatisfiable "range_not_satisfiable" 416 "The range lies outside the log";
    /// The user has as much as one may.
    QuotaReached "quota_reached" 409 "You have as much as you may";
    /// Too many requests.
    TooManyRequests "too_many_requests" 429 "Too many requests";
    /// The edit could not be stored; the server keeps trying.
    NotStored "not_stored" 503 "Storing fails at the moment";
    /// The sandbox is weaker than the server's minimum.
    SandboxUnavailable "sandbox_unavailable" 503 "Code cannot be contained here";
    /// A backing service does not answer.
    Unavailable "unavailable" 503 "A service behind the server does not answer";
    /// A fault of the server; the log has the cause.
    Internal "internal" 500 "Something went wrong on the server's side";
}

/// An error with the sentence for this case. The cause never goes to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, ts_rs::TS, utoipa::ToSchema)]
#[error("{message}")]
pub struct WireError {
    /// For programs.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// After how many seconds trying again makes sense, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub retry_after_s: Option<u64>,
}

impl WireError {
    /// An error of `code` that says `message`.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after_s: None }
    }

    /// The same, with the seconds after which trying again makes sense.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// An error that says no more than its title.
    #[must_use]
    pub fn plain(code: ErrorCode) -> Self {
        Self::new(code, code.title())
    }
}

/// The body of an HTTP error: `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short title that does not change from case to case.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// The sentence for this case.
    pub detail: String,
    /// For programs.
    pub code: ErrorCode,
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        Self {
            kind: "about:blank".into(),
            title: error.code.title().into(),
            status: error.code.status(),
            detail: error.message,
            code: error.code,
        }
    }
}
