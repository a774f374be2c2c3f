//! A process that is killed at any moment loses no record and leaves none damaged.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ecs_image_puller::testing::{FakeEngine, FakeImage};
use ecs_image_puller::{Behavior, ImageDetails, PullRecord, Puller, PullerSettings, Status};

use crate::support::*;

const KILLS: u64 = 200;
/// Where the process that is to be killed keeps its record, and the name it gives its images.
const DIRECTORY: &str = "PULLS_UNTIL_KILLED_DIRECTORY";
const PREFIX: &str = "PULLS_UNTIL_KILLED_PREFIX";

#[test]
fn no_record_is_lost_or_damaged_by_two_hundred_kills() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        pull_until_killed(Path::new(&directory), &std::env::var(PREFIX).unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    let mut random = KILLS;
    // Two at once, so that a kill also meets a process that waits for the other.
    for round in 0..KILLS / 2 {
        let mut children = [0, 1].map(|side| start(directory.path(), &format!("k{round}-{side}")));
        // Any moment: before the first record, while the files are made, in the middle of the twentieth. The numbers
        // are those of a linear congruential generator, the same in every run.
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        if round % 4 != 0 {
            wait_for_first(&mut children[0], &mut acknowledged);
        }
        std::thread::sleep(Duration::from_micros((random >> 33) % 40_000));
        for child in &mut children {
            child.kill().unwrap();
        }
        for child in &mut children {
            child.wait().unwrap();
            let mut rest = String::new();
            child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
            acknowledged.extend(names(&rest));
        }
    }
    assert!(
        acknowledged.len() as u64 > KILLS,
        "too few pulls to tell: {}",
        acknowledged.len()
    );

    let engine = FakeEngine::new();
    for image in &acknowledged {
        let pinned = format!("{}@{DIGEST}", image.trim_end_matches(":v1"));
        engine.put_present(
            image,
            ImageDetails::new("sha256:id").with_repo_digests(vec![pinned]),
        );
    }
    let puller = Puller::new(Arc::new(engine.clone()), PullerSettings::default())
        .with_record(PullRecord::in_directory(directory.path()));
    run(async {
        for image in &acknowledged {
            let request = request(image, Rotating::passwords(&["right"])).with_behavior(Behavior::Once);
            let pulled = pull(&puller, &request).await.0.unwrap();
            assert_eq!(pulled.status, Status::Cached, "{image}");
            assert!(pulled.facts.notes.is_empty(), "{:?}", pulled.facts.notes);
        }
    });
    // Nobody was asked: every record was there, with its credential.
    assert!(engine.calls().is_empty());
    assert!(!directory.path().join("pulls.redb.damaged").exists());
}

#[expect(clippy::print_stdout, reason = "how the other process tells this one")]
/// The other process: pulls one image after another, and says so of each once the puller has.
fn pull_until_killed(directory: &Path, prefix: &str) -> ! {
    let engine = FakeEngine::new();
    let puller = Puller::new(Arc::new(engine.clone()), PullerSettings::default())
        .with_record(PullRecord::in_directory(directory));
    run(async {
        for number in 0.. {
            let image = format!("registry.example.com/{prefix}-{number}:v1");
            engine.put_image(&image, FakeImage::new(DIGEST).private("alice", "right"));
            let request = request(&image, Rotating::passwords(&["right"]));
            let pulled = pull(&puller, &request).await.0.unwrap();
            assert!(pulled.facts.notes.is_empty(), "{:?}", pulled.facts.notes);
            println!("pulled {image}");
        }
    });
    unreachable!("there is always one more number")
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(work)
}

fn start(directory: &Path, prefix: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "kills::no_record_is_lost_or_damaged_by_two_hundred_kills",
            "--nocapture",
        ])
        .env(DIRECTORY, directory)
        .env(PREFIX, prefix)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads byte by byte, so that nothing is read that belongs to the rest.
fn wait_for_first(child: &mut Child, acknowledged: &mut Vec<String>) {
    let mut reader = BufReader::with_capacity(1, child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap() > 0 {
        let found = names(&line);
        if !found.is_empty() {
            acknowledged.extend(found);
            return;
        }
        line.clear();
    }
    panic!("the process ended without a pull");
}

/// Images that are told as pulled, in whole lines.
fn names(output: &str) -> Vec<String> {
    output
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n')?.split("pulled ").nth(1))
        .map(str::to_owned)
        .collect()
}
