//! What was asked, without what must not be kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use http::header::{AUTHORIZATION, RANGE};

use super::Fault;

/// No test looks at more, and no proxy may grow without end.
const KEPT: usize = 10_000;

/// One request that came to the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The scheme of the `Authorization` header, where there was one: `Basic`, `Bearer`. Never the credential.
    pub authorization: Option<String>,
    /// The `Range` header, where there was one.
    pub range: Option<String>,
    /// The status that was answered; `None` as long as, and where, there was no answer.
    pub status: Option<u16>,
    /// Bytes of the answer's body that have been handed to the connection.
    pub bytes: u64,
    /// What was done to it.
    pub fault: Option<Fault>,
}

/// The requests so far, the latest [`KEPT`] of them.
#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Mutex<VecDeque<Arc<Entry>>>,
    total: AtomicU64,
}

/// One request, which its connection goes on to complete.
#[derive(Debug)]
pub(super) struct Entry {
    request: RecordedRequest,
    /// 0 as long as there is no answer.
    status: AtomicU64,
    bytes: AtomicU64,
}

impl Journal {
    pub(super) fn begin<B>(&self, request: &Request<B>, fault: Option<Fault>) -> Arc<Entry> {
        let text = |name| {
            let value = request.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let scheme = request.headers().get(AUTHORIZATION).map(|value| {
            // A header of one word is a credential without a scheme: it may not be kept.
            let scheme = value.to_str().ok().and_then(|value| value.split_once(' '));
            scheme.map_or_else(|| "none".to_owned(), |(scheme, _)| scheme.to_owned())
        });
        let entry = Arc::new(Entry {
            request: RecordedRequest {
                method: request.method().as_str().to_owned(),
                path: request.uri().path().to_owned(),
                authorization: scheme,
                range: text(RANGE),
                status: None,
                bytes: 0,
                fault,
            },
            status: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        self.total.fetch_add(1, Ordering::SeqCst);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(Arc::clone(&entry));
        entry
    }

    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().map(|entry| entry.snapshot()).collect()
    }
}

impl Entry {
    pub(super) fn answered(&self, status: u16) {
        self.status.store(status.into(), Ordering::SeqCst);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    fn snapshot(&self) -> RecordedRequest {
        let status = u16::try_from(self.status.load(Ordering::SeqCst)).ok();
        RecordedRequest {
            status: status.filter(|status| *status != 0),
            bytes: self.bytes.load(Ordering::SeqCst),
            ..self.request.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::{Journal, KEPT};

    #[test]
    fn only_the_scheme_of_a_credential_is_kept() {
        for (value, expected) in [
            ("Basic YTpi", "Basic"),
            ("bearer x.y", "bearer"),
            ("hunter2", "none"),
        ] {
            let journal = Journal::default();
            let request = Request::get("/v2/?token=hunter2")
                .header("authorization", value)
                .body(())
                .unwrap();
            journal.begin(&request, None);
            let recorded = journal.requests();
            assert_eq!(recorded[0].authorization.as_deref(), Some(expected));
            assert_eq!(recorded[0].path, "/v2/");
            for secret in ["YTpi", "x.y", "hunter2"] {
                assert!(!format!("{journal:?}{recorded:?}").contains(secret), "{secret}");
            }
        }
    }

    #[test]
    fn the_oldest_go_first_and_all_are_counted() {
        let journal = Journal::default();
        for number in 0..=KEPT {
            journal.begin(&Request::get(format!("/{number}")).body(()).unwrap(), None);
        }
        let requests = journal.requests();
        assert_eq!((requests.len(), requests[0].path.as_str()), (KEPT, "/1"));
        assert_eq!(journal.total(), KEPT as u64 + 1);
    }
}
