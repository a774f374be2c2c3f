//! The body of the registry's answer, as the fault lets it through.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::fault::BodyFault;
use super::journal::Entry;

/// Between the last byte that is let through and the cut: the bytes before it have to leave, and a reset discards what
/// has not left.
const FLUSH: Duration = Duration::from_millis(50);

/// How often a slow body goes on.
const STEPS_PER_SECOND: u64 = 20;

/// Holds one frame at a time: what the engine does not take is not asked of the registry.
#[derive(Debug)]
pub(super) struct FaultyBody {
    inner: Incoming,
    fault: Option<BodyFault>,
    position: u64,
    frame: Bytes,
    pause: Option<Pin<Box<Sleep>>>,
    cut: bool,
    reset: Arc<AtomicBool>,
    entry: Arc<Entry>,
}

impl FaultyBody {
    /// `reset` is set before the body ends in an error that shall reset its connection.
    pub(super) fn new(
        inner: Incoming,
        fault: Option<BodyFault>,
        reset: Arc<AtomicBool>,
        entry: Arc<Entry>,
    ) -> Self {
        Self {
            inner,
            fault,
            position: 0,
            frame: Bytes::new(),
            pause: None,
            cut: false,
            reset,
            entry,
        }
    }

    /// How many bytes may be sent now; 0 where the fault holds the body up.
    fn allowance(&self) -> u64 {
        match self.fault {
            Some(BodyFault::Cut { after, .. } | BodyFault::Stall { after }) => {
                after.saturating_sub(self.position)
            }
            Some(BodyFault::Slow { rate }) => (rate / STEPS_PER_SECOND).max(1),
            Some(BodyFault::WrongByte { .. }) | None => u64::MAX,
        }
    }

    fn pause(&mut self, pause: Duration) {
        self.pause = Some(Box::pin(tokio::time::sleep(pause)));
    }

    /// Takes what is allowed of the frame, as it is to be sent.
    fn take(&mut self, allowance: u64) -> Bytes {
        let length = usize::try_from(allowance)
            .unwrap_or(usize::MAX)
            .min(self.frame.len());
        let mut data = self.frame.split_to(length);
        match self.fault {
            Some(BodyFault::WrongByte { at }) => {
                let wrong = at
                    .checked_sub(self.position)
                    .and_then(|at| usize::try_from(at).ok());
                if let Some(wrong) = wrong.filter(|wrong| *wrong < data.len()) {
                    let mut changed = data.to_vec();
                    changed[wrong] = !changed[wrong];
                    data = changed.into();
                }
            }
            Some(BodyFault::Slow { rate }) => {
                let nanoseconds = length as u64 * 1_000_000_000 / rate;
                self.pause(Duration::from_nanos(nanoseconds));
            }
            _ => {}
        }
        self.position += data.len() as u64;
        self.entry.sent(data.len());
        data
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(context));
                this.pause = None;
            }
            if this.cut {
                if let Some(BodyFault::Cut { reset, .. }) = this.fault {
                    this.reset.store(reset, Ordering::SeqCst);
                }
                return Poll::Ready(Some(Err(io::Error::other("cut by the fault proxy"))));
            }
            if this.frame.is_empty() {
                match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(data) if data.is_empty() => continue,
                        Ok(data) => this.frame = data,
                        Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                    },
                    Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                    None => return Poll::Ready(None),
                }
            }
            let allowance = this.allowance();
            if allowance > 0 {
                return Poll::Ready(Some(Ok(Frame::data(this.take(allowance)))));
            }
            match this.fault {
                Some(BodyFault::Cut { .. }) => {
                    this.cut = true;
                    this.pause(FLUSH);
                }
                // Nobody wakes it: the connection ends when the other side closes it, or with the proxy.
                _ => return Poll::Pending,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frame.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let inner = self.inner.size_hint();
        let held = self.frame.len() as u64;
        match inner.exact() {
            Some(rest) => SizeHint::with_exact(rest + held),
            None => SizeHint::default(),
        }
    }
}
