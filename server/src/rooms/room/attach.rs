//! Coming, going, and what somebody may do.

use coderoom_protocol::{
    awareness,
    control::{ServerMessage, UserSummary},
    ids::UserId,
    role::Role,
};
use serde_json::Value;

use super::Room;
use crate::rooms::{
    event::{Place, Session, SessionId},
    members::{Behind, Members},
    outbox::Pushed,
    presence::{Presence, PresenceLimits},
    say::{self, Farewell},
};

impl Room {
    pub(super) fn attach(&mut self, session: Session, place: Place) {
        if self.is_deleted && place == Place::Task {
            // It came while the room heard that its task is gone.
            let message = say::json(&ServerMessage::TaskDeleted { task: self.around.task });
            if let Some(frames) = say::control(&session.framing, &message) {
                session.outbox.push(frames);
            }
            session.outbox.close(4404, "the task was deleted");
            return;
        }
        let id = session.id;
        self.places.insert(id, place);
        let is_first = self.members_at(place).is_empty();
        self.members_at(place).add(session);
        if is_first {
            self.ask_who_is_here(place);
        }
        self.empty_since = None;
        self.push_all_presence(id);
    }

    pub(super) fn detach(&mut self, session: SessionId) {
        let Some(place) = self.places.remove(&session) else { return };
        if let Some(session) = self.members_at(place).remove(session) {
            session.outbox.resume(session.id);
        }
        let now = self.around.now;
        if self.presence_at(place).is_some_and(|presence| presence.leave(session, now)) {
            self.presence_changed(place);
        }
        self.note_emptiness();
        self.look_again();
    }

    pub(super) fn note_emptiness(&mut self) {
        if self.places.is_empty() && self.empty_since.is_none() {
            self.empty_since = Some(self.around.now);
        }
        self.look_again();
    }

    pub(super) fn awareness(&mut self, session: SessionId, update: &[u8]) {
        let Some(&place) = self.places.get(&session) else { return };
        let entries = match awareness::parse(update) {
            Ok(entries) => entries,
            Err(_) => {
                metrics::counter!("coderoom_awareness_refused_total").increment(1);
                return;
            }
        };
        let (members, presence) = match place {
            Place::Task => (&self.members, &mut self.presence),
            Place::File(file) => match self.documents.get_mut(&file) {
                Some(document) => (&document.members, &mut document.presence),
                None => return,
            },
        };
        let Some(user) = members.get(session).map(|member| &member.session.user) else { return };
        let settings = &self.around.shared.settings;
        let limits = PresenceLimits { entries: settings.presence_entries, bytes: settings.presence_bytes };
        let may_say = |state: &str| !pretends(state, user, members);
        if presence.announce(session, user.id, &entries, limits, self.around.now, may_say) {
            self.presence_changed(place);
            self.look_again();
        }
    }

    /// All known presence of its place, to one session.
    pub(super) fn push_all_presence(&mut self, session: SessionId) {
        let Some(&place) = self.places.get(&session) else { return };
        let Some(all) = self.presence_at(place).and_then(|presence| presence.all()) else { return };
        let (known, version) = self.seen_at(place);
        let Some(member) = self.members_at(place).get_mut(session) else { return };
        if member.behind.is_some() {
            // It gets all when it has caught up.
            return;
        }
        let Some(frames) = say::awareness(&member.session.framing, &all) else { return };
        if member.session.outbox.push_presence(session, frames) == Pushed::Refused {
            member.behind = Some(Box::new(Behind { known, version, owes_step2: false }));
        }
    }

    /// What members of a place have, as far as edits go.
    pub(super) fn seen_at(&self, place: Place) -> (coderoom_protocol::gate::StateVector, u64) {
        let Place::File(file) = place else { return Default::default() };
        self.documents
            .get(&file)
            .and_then(|document| document.live.as_ref())
            // A document that is not in memory has no edits to miss until somebody syncs, and a diff from nothing is right.
            .map_or((Default::default(), u64::MAX), |live| live.seen())
    }

    /// A user's role has changed in this task. `None`: it has ended.
    pub(super) fn role_changed(&mut self, user: UserId, role: Option<Role>) {
        match role {
            Some(role) => self.change_roles(|session| session.user.id == user, role),
            None => self.end_sessions(|session| session.user.id == user),
        }
    }

    /// One session was looked up again.
    pub(super) fn standing(&mut self, id: SessionId, found: Option<(Role, Role)>) {
        let Some(&place) = self.places.get(&id) else { return };
        let Some((role, ceiling)) = found else { return self.end_sessions(|session| session.id == id) };
        if let Some(member) = self.members_at(place).get_mut(id) {
            member.session.ceiling = ceiling;
        }
        self.change_roles(|session| session.id == id, role);
    }

    fn change_roles(&mut self, which: impl Fn(&Session) -> bool, role: Role) {
        let documents = self.documents.values_mut().flat_map(|document| document.members.iter_mut());
        for member in documents.filter(|member| which(&member.session)) {
            let role = role.min(member.session.ceiling);
            if std::mem::replace(&mut member.session.role, role) != role
                && let Some(frames) = say::role(&member.session.framing, role)
            {
                member.session.outbox.push(frames);
            }
        }
        for member in self.members.iter_mut().filter(|member| which(&member.session)) {
            let role = role.min(member.session.ceiling);
            if std::mem::replace(&mut member.session.role, role) != role
                && let Some(frames) = say::control(&member.session.framing, &say::json(&ServerMessage::Role { role }))
            {
                member.session.outbox.push(frames);
            }
        }
    }

    fn end_sessions(&mut self, which: impl Fn(&Session) -> bool) {
        let mut ended = self.members.end(Farewell::NoRole, &which);
        for document in self.documents.values_mut() {
            ended.extend(document.members.end(Farewell::NoRole, &which));
        }
        self.forget_sessions(&ended);
    }

    /// Sessions that have been ended: their presence goes too.
    pub(super) fn forget_sessions(&mut self, ended: &[SessionId]) {
        let now = self.around.now;
        for session in ended {
            if let Some(place) = self.places.remove(session)
                && self.presence_at(place).is_some_and(|presence| presence.leave(*session, now))
            {
                self.presence_changed(place);
            }
        }
        self.note_emptiness();
    }

    pub(super) fn members_at(&mut self, place: Place) -> &mut Members {
        match place {
            Place::Task => &mut self.members,
            Place::File(file) => &mut self.document(file).members,
        }
    }

    pub(super) fn presence_at(&mut self, place: Place) -> Option<&mut Presence> {
        match place {
            Place::Task => Some(&mut self.presence),
            Place::File(file) => self.documents.get_mut(&file).map(|document| &mut document.presence),
        }
    }
}

/// Whether a state, as editors show it (`user.id`, `user.name`), gives itself out for another user, or for another who is here.
fn pretends(state: &str, user: &UserSummary, members: &Members) -> bool {
    let Ok(state) = serde_json::from_str::<Value>(state) else { return false };
    let claims = |field: &str| state["user"][field].as_str();
    claims("id").is_some_and(|id| id != user.id.to_string())
        || claims("name").is_some_and(|name| {
            let others = members.iter().map(|member| &member.session.user);
            name != user.name && others.into_iter().any(|other| other.id != user.id && other.name == name)
        })
}
