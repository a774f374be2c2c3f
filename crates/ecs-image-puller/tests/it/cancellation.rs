//! Dropping a call.

use std::time::Duration;

use ecs_image_puller::PullFrame;
use ecs_image_puller::Silent;
use ecs_image_puller::testing::Fault;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn a_dropped_call_stops_the_engines_pull_at_once() {
    let engine = engine();
    engine.fail_pull(Fault::Stall(vec![PullFrame::layer("a", "Downloading")]));
    let puller = puller(&engine);
    let request = right();
    let call = tokio::time::timeout(Duration::from_secs(1), puller.pull(&request, &Silent));
    assert!(call.await.is_err());
    assert_eq!(engine.running(), 0);
    assert_eq!(count_pulls(&engine), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_next_attempt_is_dropped_at_once_too() {
    let engine = engine();
    engine.fail_pull(Fault::Refuse(answer(500, "received unexpected HTTP status: 503")));
    let puller = puller(&engine);
    let request = right();
    let call = tokio::time::timeout(Duration::from_millis(500), puller.pull(&request, &Silent));
    assert!(call.await.is_err());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(count_pulls(&engine), 1);
}

#[test]
fn a_call_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let puller = puller(&engine());
    let request = right();
    is_send(puller.pull(&request, &Silent));
    is_send(puller.check(&request, &Silent));
}
