//! What a registry of the scripted engine has.

use std::time::Duration;

use crate::Platform;
use crate::engine::{Distribution, PullFrame};

/// An image in a registry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FakeImage {
    /// What the registry says about it.
    pub distribution: Distribution,
    /// What the engine says while it pulls.
    pub frames: Vec<PullFrame>,
    /// User name and password that the registry wants; `None` is a public image.
    pub wants: Option<(String, String)>,
    /// More messages after `frames`: how many, and which is the one of a number.
    pub messages: (u64, fn(u64) -> PullFrame),
    /// More user names and passwords that will do for a private image.
    pub also_wants: Vec<(String, String)>,
    /// How long it takes until the digest is there, and before each message of the pull.
    pub pace: Duration,
}

impl FakeImage {
    /// A public image of one layer with this digest (`algorithm:hex`).
    pub fn new(digest: impl Into<String>) -> Self {
        Self {
            distribution: Distribution::new(digest),
            frames: vec![
                PullFrame::layer("v1", "Pulling from app"),
                PullFrame::layer("0123456789ab", "Pulling fs layer"),
                PullFrame::layer("0123456789ab", "Downloading").with_progress(1000, 1000),
                PullFrame::layer("0123456789ab", "Download complete"),
                PullFrame::layer("0123456789ab", "Extracting").with_progress(1000, 1000),
                PullFrame::layer("0123456789ab", "Pull complete"),
            ],
            wants: None,
            messages: (0, |_| PullFrame::default()),
            also_wants: Vec::new(),
            pace: Duration::ZERO,
        }
    }

    /// The same, with this long until the digest is there, and before each message of the pull.
    #[must_use]
    pub fn at_pace(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// The same, with this many more messages, made one by one.
    #[must_use]
    pub fn with_messages(mut self, count: u64, message: fn(u64) -> PullFrame) -> Self {
        self.messages = (count, message);
        self
    }

    /// The same, also for whom `username` and `password` are right: each of these credentials will do.
    #[must_use]
    pub fn or_private(mut self, username: &str, password: &str) -> Self {
        self.also_wants.push((username.to_owned(), password.to_owned()));
        self
    }

    /// The same, private.
    #[must_use]
    pub fn private(mut self, username: &str, password: &str) -> Self {
        self.wants = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// The same, built for these platforms.
    #[must_use]
    pub fn for_platforms(mut self, platforms: Vec<Platform>) -> Self {
        self.distribution.platforms = platforms;
        self
    }
}
