//! Which requests a fault happens to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Fault;

/// A fault, and the requests that it happens to.
///
/// Without [`times`](Self::times) it happens to all of them.
///
/// ```
/// use ecs_image_puller::testing::fault_proxy::{Fault, Rule};
///
/// let rule = Rule::on("/v2/*/blobs/*", Fault::Reset { after: 1000 }).method("GET").skip(1).times(2);
/// # assert!(format!("{rule:?}").contains("Reset"));
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    path: String,
    fault: Fault,
    method: Option<String>,
    skip: u64,
    times: u64,
}

impl Rule {
    /// This fault for requests whose path, without the query, is like `path`: a `*` stands for any characters, `/`
    /// among them.
    #[must_use]
    pub fn on(path: impl Into<String>, fault: Fault) -> Self {
        Self {
            path: path.into(),
            fault,
            method: None,
            skip: 0,
            times: u64::MAX,
        }
    }

    /// Only requests with this method: `GET`.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Not the first so many that match.
    #[must_use]
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// No more than so many that match.
    #[must_use]
    pub fn times(mut self, requests: u64) -> Self {
        self.times = requests;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method) && like(&self.path, path)
    }
}

/// A rule at work, to see how often its fault has happened.
#[derive(Clone, Debug)]
pub struct Injected(Arc<AtomicU64>);

impl Injected {
    /// How many requests the fault has happened to.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// The rules of a proxy, in the order in which they were given.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Counted>);

#[derive(Debug)]
struct Counted {
    rule: Rule,
    skipped: u64,
    hits: Arc<AtomicU64>,
}

impl Rules {
    pub(super) fn add(&mut self, rule: Rule) -> Injected {
        let hits = Arc::new(AtomicU64::new(0));
        self.0.push(Counted {
            rule,
            skipped: 0,
            hits: Arc::clone(&hits),
        });
        Injected(hits)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault for a request: that of the first rule that matches and is neither waiting nor used up.
    pub(super) fn apply(&mut self, method: &str, path: &str) -> Option<Fault> {
        for counted in &mut self.0 {
            if !counted.rule.matches(method, path)
                || counted.hits.load(Ordering::SeqCst) >= counted.rule.times
            {
                continue;
            }
            if counted.skipped < counted.rule.skip {
                counted.skipped += 1;
                continue;
            }
            counted.hits.fetch_add(1, Ordering::SeqCst);
            return Some(counted.rule.fault.clone());
        }
        None
    }
}

/// Whether `text` is `pattern`, where each `*` of the pattern stands for any characters.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|start| text.strip_prefix(start)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Fault, Rule, Rules, like};

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("/v2/", "/v2/", true),
            ("/v2/", "/v2/app", false),
            ("/v2/*", "/v2/", true),
            ("*", "", true),
            ("/v2/*/blobs/*", "/v2/team/app/blobs/sha256:0", true),
            ("/v2/*/blobs/*", "/v2/team/app/manifests/v1", false),
            ("/v2/*/blobs/*", "/v2/blobs/", false),
            ("*/manifests/v1", "/v2/app/manifests/v1", true),
            ("*/manifests/v1", "/v2/app/manifests/v11", false),
            ("a*a", "a", false),
            ("a*b*a", "aba", true),
            ("a**b", "ab", true),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn rules_take_turns_in_their_order() {
        let mut rules = Rules::default();
        let first = rules.add(Rule::on("/v2/*", Fault::Status(503)).skip(1).times(1));
        let second = rules.add(Rule::on("/v2/*", Fault::Status(429)).method("GET").times(1));
        assert_eq!(rules.apply("HEAD", "/v2/"), None);
        assert_eq!(rules.apply("GET", "/v2/"), Some(Fault::Status(503)));
        assert_eq!(rules.apply("HEAD", "/v2/"), None);
        assert_eq!(rules.apply("GET", "/v2/"), Some(Fault::Status(429)));
        assert_eq!(rules.apply("GET", "/v2/"), None);
        assert_eq!((first.hits(), second.hits()), (1, 1));
    }
}
