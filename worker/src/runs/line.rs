//! The line: in which order waiting runs would be claimed if no running one ended.
//! The same rule as the claim: fewest running runs of the user first, then the oldest.

use std::collections::{BTreeMap, HashMap, VecDeque};

use coderoom_backing::values;
use coderoom_protocol::ids::{RunId, UserId};

use super::Runs;
use crate::fault::Result;

impl Runs {
    /// Place of every waiting run, from 1.
    pub(crate) async fn line(&self) -> Result<HashMap<RunId, u32>> {
        let mut tx = self.tables().begin_read().await?;
        let waiting =
            tx.query("SELECT id, user_id FROM runs WHERE state = 1 ORDER BY submitted_at, id", values![]).await?;
        let running =
            tx.query("SELECT user_id, count(*) FROM runs WHERE state = 2 GROUP BY user_id", values![]).await?;
        drop(tx);
        let waiting: Vec<(RunId, UserId)> =
            waiting.iter().map(|row| Ok((row.parse(0)?, row.parse(1)?))).collect::<Result<_>>()?;
        let running: HashMap<UserId, u64> =
            running.iter().map(|row| Ok((row.parse(0)?, row.uint(1)?))).collect::<Result<_>>()?;
        Ok(claim_order(&waiting, &running).into_iter().zip(1..).collect())
    }
}

/// `waiting` is ordered by age, oldest first; `running` counts the running runs of users.
fn claim_order(waiting: &[(RunId, UserId)], running: &HashMap<UserId, u64>) -> Vec<RunId> {
    let mut of_user: HashMap<UserId, VecDeque<(usize, RunId)>> = HashMap::new();
    for (age, (run, user)) in waiting.iter().enumerate() {
        of_user.entry(*user).or_default().push_back((age, *run));
    }
    // Each user stands in the line with the oldest waiting run, keyed as the claim orders them.
    let mut heads: BTreeMap<(u64, usize), UserId> = BTreeMap::new();
    for (user, runs) in &of_user {
        if let Some((age, _)) = runs.front() {
            heads.insert((running.get(user).copied().unwrap_or(0), *age), *user);
        }
    }
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(((count, _), user)) = heads.pop_first() {
        let Some(runs) = of_user.get_mut(&user) else { continue };
        order.extend(runs.pop_front().map(|(_, run)| run));
        if let Some((age, _)) = runs.front() {
            heads.insert((count + 1, *age), user);
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns_and_the_idle_user_comes_first() {
        let (ana, bo) = (UserId::new(), UserId::new());
        let ids: Vec<RunId> = (0..5).map(|_| RunId::new()).collect();
        let waiting = [(ids[0], ana), (ids[1], ana), (ids[2], ana), (ids[3], bo), (ids[4], bo)];
        assert_eq!(claim_order(&waiting, &HashMap::new()), [ids[0], ids[3], ids[1], ids[4], ids[2]]);
        let running = HashMap::from([(ana, 1)]);
        assert_eq!(claim_order(&waiting, &running), [ids[3], ids[0], ids[4], ids[1], ids[2]]);
    }
}
