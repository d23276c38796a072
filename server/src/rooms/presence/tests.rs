use std::time::Duration;

use super::*;

const A: SessionId = SessionId(1);
const B: SessionId = SessionId(2);
const LIMITS: PresenceLimits = PresenceLimits { entries: 2, bytes: 20 };
const EXPIRY: Duration = Duration::from_secs(30);

struct Place {
    presence: Presence,
    now: Instant,
    alice: UserId,
    bob: UserId,
}

impl Place {
    fn new() -> Self {
        Self { presence: Presence::default(), now: Instant::now(), alice: UserId::new(), bob: UserId::new() }
    }

    fn say(&mut self, session: SessionId, user: UserId, client: u64, clock: u32, state: Option<&str>) -> bool {
        self.presence.announce(session, user, &[Entry { client, clock, state }], LIMITS, self.now, |_| true)
    }
}

fn read(update: &[u8]) -> Vec<(u64, u32, Option<String>)> {
    let mut entries: Vec<_> = awareness::parse(update)
        .unwrap()
        .iter()
        .map(|entry| (entry.client, entry.clock, entry.state.map(str::to_owned)))
        .collect();
    entries.sort_unstable();
    entries
}

#[test]
fn only_newer_clocks_and_the_end_at_the_same_clock_count() {
    let mut place = Place::new();
    let alice = place.alice;
    assert!(place.say(A, alice, 7, 3, Some("{}")));
    assert!(!place.say(A, alice, 7, 3, Some("{\"a\":1}")));
    assert!(!place.say(A, alice, 7, 2, Some("{}")));
    assert!(place.say(A, alice, 7, 3, None));
    assert!(!place.say(A, alice, 7, 3, None));
    assert!(!place.say(A, alice, 7, 3, Some("{}")), "its own end counts");
    assert!(place.say(A, alice, 7, 4, Some("{}")));
    assert_eq!(read(&place.presence.flush().0), [(7, 4, Some("{}".into()))], "changes coalesce");
    assert!(!place.presence.has_changes());
}

#[test]
fn ids_belong_to_the_connection_that_announced_them() {
    let mut place = Place::new();
    let (alice, bob) = (place.alice, place.bob);
    assert!(place.say(A, alice, 7, 3, Some("{}")));
    assert!(!place.say(B, bob, 7, 9, Some("{}")), "somebody else's id");
    assert!(!place.say(B, bob, 7, 3, None));
    assert!(place.say(B, alice, 7, 4, Some("{}")), "the same user's new connection");
    assert!(!place.presence.leave(A, place.now), "the old connection's end does not null it");
    assert_eq!(read(&place.presence.flush().0), [(7, 4, Some("{}".into()))]);
}

#[test]
fn who_leaves_is_nulled_at_the_same_clock_and_may_come_back() {
    let mut place = Place::new();
    let alice = place.alice;
    place.say(A, alice, 7, 3, Some("{}"));
    place.presence.flush();
    assert!(place.presence.leave(A, place.now));
    assert_eq!(read(&place.presence.flush().0), [(7, 3, None)]);
    assert_eq!(read(&place.presence.all().unwrap()), [(7, 3, None)], "joiners learn who was nulled");
    assert!(place.say(B, alice, 7, 3, Some("{}")));
}

#[test]
fn silence_ends_presence_and_later_the_memory_of_it() {
    let mut place = Place::new();
    let alice = place.alice;
    place.say(A, alice, 7, 3, Some("{}"));
    place.presence.flush();
    assert!(!place.presence.expire(place.now + EXPIRY - Duration::from_millis(1), EXPIRY));
    assert!(place.presence.expire(place.now + EXPIRY, EXPIRY));
    assert_eq!(read(&place.presence.flush().0), [(7, 3, None)]);
    assert!(!place.presence.expire(place.now + EXPIRY + EXPIRY, EXPIRY));
    assert!(place.presence.is_empty());
}

#[test]
fn entries_and_bytes_of_a_user_are_bounded_whatever_the_sessions() {
    let mut place = Place::new();
    let (alice, bob) = (place.alice, place.bob);
    let twelve = r#"{"a":123456}"#;
    assert!(place.say(A, alice, 1, 1, Some(twelve)));
    assert!(!place.say(B, alice, 2, 1, Some(twelve)), "24 bytes are too many");
    assert!(place.say(B, alice, 2, 1, Some("{}")));
    assert!(!place.say(SessionId(3), alice, 3, 1, Some("{}")), "three are too many");
    assert!(place.say(A, alice, 1, 2, Some(r#"{"a":654321}"#)), "its own old state does not count");
    assert!(place.say(B, bob, 3, 1, Some("{}")), "others have their own bounds");
}

#[test]
fn ids_that_have_gone_count_until_they_are_forgotten() {
    let mut place = Place::new();
    let alice = place.alice;
    for client in [1, 2] {
        assert!(place.say(A, alice, client, 1, Some("{}")) && place.say(A, alice, client, 1, None));
    }
    place.presence.flush();
    assert!(!place.say(A, alice, 3, 1, Some("{}")), "one user does not fill the memory of who has left");
    assert!(place.say(A, alice, 1, 2, Some("{}")), "whoever it was may come back");
    place.presence.flush();
    place.presence.expire(place.now + EXPIRY, EXPIRY);
    assert!(place.say(A, alice, 3, 1, Some("{}")));
}

#[test]
fn what_is_known_of_all_is_encoded_once_and_anew_after_a_change() {
    let mut place = Place::new();
    let (alice, bob) = (place.alice, place.bob);
    place.say(A, alice, 7, 3, Some("{}"));
    let first = place.presence.all().unwrap();
    assert_eq!(place.presence.all().unwrap().as_ptr(), first.as_ptr(), "the same bytes");
    place.say(B, bob, 8, 1, Some("{}"));
    assert_eq!(read(&place.presence.all().unwrap()).len(), 2);
    place.presence.leave(A, place.now);
    assert_eq!(read(&place.presence.all().unwrap())[0], (7, 3, None));
    place.presence.flush();
    place.presence.expire(place.now + EXPIRY, EXPIRY);
    place.presence.flush();
    assert_eq!(read(&place.presence.all().unwrap()), [(8, 1, None)], "the first is forgotten");
}

const OTHER: NodeId = NodeId(9);

fn there(user: UserId, client: u64, clock: u32, state: Option<&str>) -> Vec<Present> {
    vec![Present { user, client, clock, state: state.map(Box::from) }]
}

#[test]
fn presence_of_other_nodes_is_shown_and_not_told_again() {
    let mut place = Place::new();
    let (alice, bob) = (place.alice, place.bob);
    place.say(A, alice, 7, 3, Some("{}"));
    assert!(place.presence.hear(OTHER, there(bob, 8, 1, Some("{}")), place.now));
    let (all, ours) = place.presence.flush();
    assert_eq!(read(&all), [(7, 3, Some("{}".into())), (8, 1, Some("{}".into()))]);
    assert_eq!(ours, there(alice, 7, 3, Some("{}")));
    assert_eq!(place.presence.ours(), ours);
    assert!(place.presence.hear(OTHER, there(bob, 8, 1, None), place.now), "its node says that it went");
    assert!(!place.presence.hear(OTHER, there(bob, 8, 0, Some("{}")), place.now), "old news");
    assert!(place.say(B, bob, 8, 1, Some("{}")), "and it came here");
    place.presence.leave(A, place.now);
    assert_eq!(place.presence.flush().1.len(), 2, "both are told: who left and who came");
}

#[test]
fn old_node_of_a_page_does_not_end_it_where_it_came_back() {
    let mut place = Place::new();
    let (alice, bob) = (place.alice, place.bob);
    place.presence.hear(OTHER, there(alice, 7, 3, Some("{}")), place.now);
    assert!(place.say(A, alice, 7, 4, Some("{}")), "the same page, here");
    assert!(!place.presence.hear(OTHER, there(alice, 7, 3, None), place.now));
    assert!(!place.presence.hear(OTHER, there(alice, 7, 4, None), place.now));
    assert!(!place.presence.hear(OTHER, there(bob, 7, 9, Some("{}")), place.now), "somebody else's id");
}

#[test]
fn presence_of_a_node_that_died_expires() {
    let mut place = Place::new();
    let alice = place.alice;
    place.presence.hear(OTHER, there(alice, 7, 3, Some("{}")), place.now);
    let later = place.now + EXPIRY / 2;
    assert!(!place.presence.hear(OTHER, there(alice, 7, 3, Some("{}")), later), "the same again is a sign of life");
    assert!(!place.presence.expire(place.now + EXPIRY, EXPIRY));
    assert!(place.presence.expire(later + EXPIRY, EXPIRY));
    let (all, ours) = place.presence.flush();
    assert_eq!(read(&all).last(), Some(&(7, 3, None)));
    assert!(ours.is_empty(), "every node finds out by itself");
}
