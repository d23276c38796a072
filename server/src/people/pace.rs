//! Bounds how fast requests come, by address and by user. What is refused is told when to come again.

use std::{net::IpAddr, num::NonZeroU32};

use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};

use super::{People, attempts::network_of};

/// When more keys than this are remembered, those that have recovered are forgotten.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// Counts requests. Its memory is of this process: with several servers each allows as many.
#[derive(Debug)]
pub(super) struct Pace {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_user: DefaultKeyedRateLimiter<UserId>,
    clock: DefaultClock,
}

impl Pace {
    /// So many requests a minute for each address and for each user; as many may come at once.
    pub(super) fn new(per_address: u32, per_user: u32) -> Self {
        let quota = |count: u32| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            by_address: RateLimiter::keyed(quota(per_address)),
            by_user: RateLimiter::keyed(quota(per_user)),
            clock: DefaultClock::default(),
        }
    }
}

impl People {
    /// Counts a request from an address; `too_many_requests` with the time to come again when there were too many.
    pub fn pace_address(&self, address: IpAddr) -> Result<(), WireError> {
        let pace = &self.inner.pace;
        if pace.by_address.len() > KEYS_BEFORE_CLEANING {
            pace.by_address.retain_recent();
        }
        let now = pace.clock.now();
        let counted = pace.by_address.check_key(&network_of(address));
        counted.map(|_| ()).map_err(|refused| too_many("address", refused.wait_time_from(now).as_secs() + 1))
    }

    /// The same for a user.
    pub fn pace_user(&self, user: UserId) -> Result<(), WireError> {
        let pace = &self.inner.pace;
        if pace.by_user.len() > KEYS_BEFORE_CLEANING {
            pace.by_user.retain_recent();
        }
        let now = pace.clock.now();
        let counted = pace.by_user.check_key(&user);
        counted.map(|_| ()).map_err(|refused| too_many("user", refused.wait_time_from(now).as_secs() + 1))
    }
}

fn too_many(whose: &str, seconds: u64) -> WireError {
    let text = format!("Too many requests from this {whose}; try again in {seconds} seconds.");
    WireError::new(ErrorCode::TooManyRequests, text).retry_after(seconds)
}
