//! The broker's errors in our words: which of them need somebody to change a setting, and what to change.

use lapin::{
    Error, ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

use crate::queue::QueueError;

/// `what` is the queue or exchange that was asked for.
pub(super) fn explain(error: &Error, what: &str) -> QueueError {
    let ErrorKind::ProtocolError(said) = error.kind() else {
        return QueueError::Unavailable(format!("RabbitMQ: {error}"));
    };
    let text = said.get_message().to_string();
    match said.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => QueueError::Refused(format!(
            "`{what}` exists at the broker with other properties than the settings ask for ({text}). Delete it \
             (`rabbitmqctl delete_queue {what}`; waiting runs are rung for again), change the settings back, or choose another name"
        )),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) if text.contains("PLAIN") || text.contains("Login") => {
            QueueError::Refused("RabbitMQ refuses user or password: check the URL of the queue".to_owned())
        }
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => QueueError::Refused(format!(
            "RabbitMQ does not allow its user to use `{what}` ({text}): give it the permissions configure, write and read"
        )),
        AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => QueueError::Refused(format!(
            "RabbitMQ has no such virtual host, or its user may not use it ({text}): check the path of the queue's URL"
        )),
        _ => QueueError::Unavailable(format!("RabbitMQ: {text}")),
    }
}
