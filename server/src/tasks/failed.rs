//! Turns failures of the backing services into what users may read; the cause goes to the log, once, here.

use coderoom_backing::{objects::ObjectsError, tables::TablesError};
use coderoom_protocol::problem::{ErrorCode, WireError};

use crate::rooms::read_text::ReadTextError;

/// For `map_err`: the tables failed while doing `step` (a verb phrase).
pub(crate) fn tables(step: &'static str) -> impl FnOnce(TablesError) -> WireError {
    move |error| {
        let wire = match &error {
            TablesError::Nul => return WireError::new(ErrorCode::BadRequest, error.to_string()),
            TablesError::Full => WireError::new(
                ErrorCode::NotStored,
                "The server's storage is full; nothing was changed. Tell whoever runs this server, and try again later.",
            ),
            TablesError::Unavailable(_) => {
                WireError::new(ErrorCode::Unavailable, "The tables do not answer; nothing was changed. Try again.")
            }
            TablesError::Unknown(_) => WireError::new(
                ErrorCode::Unavailable,
                "The connection broke while storing; look whether it was done before you try again.",
            ),
            TablesError::Unique(_) | TablesError::ForeignKey | TablesError::Fault(_) => {
                WireError::plain(ErrorCode::Internal)
            }
        };
        log(step, &error, wire.code);
        wire
    }
}

/// For `map_err`: the object store failed while doing `step`.
pub(crate) fn objects(step: &'static str) -> impl FnOnce(ObjectsError) -> WireError {
    move |error| {
        let wire = match &error {
            ObjectsError::Full => WireError::new(
                ErrorCode::NotStored,
                "The object storage is full; nothing was changed. Tell whoever runs this server, and try again later.",
            ),
            ObjectsError::Unavailable(_) => WireError::new(
                ErrorCode::Unavailable,
                "The object storage does not answer; nothing was changed. Try again.",
            ),
            ObjectsError::TooLarge { .. } => WireError::plain(ErrorCode::BodyTooLarge),
            ObjectsError::Source(_) => WireError::new(ErrorCode::BadRequest, "The upload broke off; send it again."),
            ObjectsError::BadKey(_) | ObjectsError::Refused(_) => WireError::plain(ErrorCode::Internal),
        };
        log(step, &error, wire.code);
        wire
    }
}

/// For `map_err`: a stored text could not be read while doing `step`.
pub(crate) fn read_text(step: &'static str) -> impl FnOnce(ReadTextError) -> WireError {
    move |error| match error {
        ReadTextError::Tables(error) => tables(step)(error),
        error @ ReadTextError::Document { .. } => internal(step)(error),
    }
}

/// For `map_err`: anything that must not happen.
pub(crate) fn internal<E: std::fmt::Display>(step: &'static str) -> impl FnOnce(E) -> WireError {
    move |error| {
        log(step, &error, ErrorCode::Internal);
        WireError::plain(ErrorCode::Internal)
    }
}

fn log(step: &'static str, error: &dyn std::fmt::Display, code: ErrorCode) {
    if code == ErrorCode::Internal {
        tracing::error!(step, %error, "step failed and somebody must look at it");
    } else {
        tracing::warn!(step, %error, "step failed, it may work later");
    }
}
