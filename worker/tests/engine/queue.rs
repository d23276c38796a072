//! The line of waiting runs.

use crate::place::Place;

#[tokio::test]
async fn places_in_line_follow_fairness_and_close_up() {
    let place = Place::new().await;
    let (ana, bo) = (place.user("Ana").await, place.user("Bo").await);
    let mut of_ana = Vec::new();
    for _ in 0..3 {
        of_ana.push(place.submit(place.task(ana).await, ana, "echo 1").await.unwrap().run.id);
    }
    let of_bo = place.submit(place.task(bo).await, bo, "echo 1").await.unwrap().run;
    assert_eq!(of_bo.phase, "waiting, 2nd in line", "who has nothing running comes before a second run of another");
    place.runs.stop(of_ana[0], ana).await.unwrap();
    assert_eq!(place.runs.queue_position(of_ana[0]).await.unwrap(), None);
    assert_eq!(place.runs.queue_position(of_ana[1]).await.unwrap(), Some(1));
    assert_eq!(place.runs.queue_position(of_bo.id).await.unwrap(), Some(2));
    assert_eq!(place.runs.queue_position(of_ana[2]).await.unwrap(), Some(3));
}
