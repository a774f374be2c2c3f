//! The messages of a pull, out of the bytes of its answer.

use bytes::{Buf, Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use crate::engine::{EngineError, EngineErrorKind, PullFrame, PullStream};

/// A message is a few hundred bytes; one that is longer than this is none.
const LONGEST_FRAME: usize = 1024 * 1024;

struct Reader {
    body: BoxStream<'static, Result<Bytes, EngineError>>,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no end of line.
    searched: usize,
    ended: bool,
}

/// One message per line, in the engine's order; the stream ends after a failure of the connection.
pub(super) fn frames(body: impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static) -> PullStream {
    let reader = Reader {
        body: body.boxed(),
        buffer: BytesMut::new(),
        searched: 0,
        ended: false,
    };
    Box::pin(stream::unfold(reader, |mut reader| async move {
        let frame = reader.next().await?;
        Some((frame, reader))
    }))
}

impl Reader {
    async fn next(&mut self) -> Option<Result<PullFrame, EngineError>> {
        loop {
            if let Some(line) = self.line() {
                if !line.iter().all(u8::is_ascii_whitespace) {
                    return Some(read(&line));
                }
                continue;
            }
            if self.ended {
                return None;
            }
            if self.buffer.len() > LONGEST_FRAME {
                self.end();
                return Some(Err(EngineError::new(
                    EngineErrorKind::Malformed,
                    "a message of the engine is longer than 1 MiB",
                )));
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => {
                    self.end();
                    return Some(Err(error));
                }
                None => self.ended = true,
            }
        }
    }

    /// Gives up what is left.
    fn end(&mut self) {
        self.ended = true;
        self.buffer.clear();
        self.searched = 0;
    }

    /// The next whole line; at the end, what is left.
    fn line(&mut self) -> Option<BytesMut> {
        match self.buffer[self.searched..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            Some(offset) => {
                let line = self.buffer.split_to(self.searched + offset);
                self.buffer.advance(1);
                self.searched = 0;
                Some(line)
            }
            None if self.ended && !self.buffer.is_empty() => {
                self.searched = 0;
                Some(self.buffer.split())
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }
}

fn read(line: &[u8]) -> Result<PullFrame, EngineError> {
    PullFrame::from_json(line).map_err(|error| {
        // The position, not the text: it may be anything.
        EngineError::new(
            EngineErrorKind::Interrupted,
            format!("a message of the engine is not JSON: column {}", error.column()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(chunks: &[&'static str]) -> Vec<Result<PullFrame, EngineError>> {
        let chunks: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok(Bytes::from_static(chunk.as_bytes())))
            .collect();
        frames(stream::iter(chunks)).collect().await
    }

    #[tokio::test]
    async fn messages_are_found_however_the_bytes_are_cut() {
        let whole = "{\"status\":\"Pulling from app\",\"id\":\"v1\"}\r\n\n{\"status\":\"Downloading\",\"id\":\"a\",\
                     \"progressDetail\":{\"current\":1,\"total\":2}}\n{\"status\":\"Digest: sha256:ab\"}";
        let expected = all(&[whole]).await;
        assert_eq!(expected.len(), 3);
        assert_eq!(
            expected[1],
            Ok(PullFrame::layer("a", "Downloading").with_progress(1, 2))
        );
        for cut in 1..whole.len() {
            assert_eq!(
                all(&[&whole[..cut], &whole[cut..]]).await,
                expected,
                "cut at {cut}"
            );
        }
    }

    #[tokio::test]
    async fn a_failure_is_found_in_either_field() {
        for line in [
            r#"{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}"#,
            r#"{"errorDetail":{"code":1,"message":"no space left on device"}}"#,
            r#"{"error":"no space left on device"}"#,
            r#"{"errorDetail":{},"error":"no space left on device"}"#,
        ] {
            let frames = all(&[line]).await;
            assert_eq!(
                frames,
                [Ok(PullFrame::failed("no space left on device"))],
                "{line}"
            );
        }
    }

    #[tokio::test]
    async fn unknown_totals_and_fields_do_no_harm() {
        let frames = all(&[
            r#"{"id":"a","status":"Extracting","progressDetail":{"current":-1,"total":-1},"aux":{"x":1}}"#,
        ])
        .await;
        assert_eq!(frames, [Ok(PullFrame::layer("a", "Extracting"))]);
    }

    #[tokio::test]
    async fn what_is_cut_off_is_an_interruption() {
        let frames = all(&["{\"status\":\"ok\"}\n{\"status\":\"Down"]).await;
        assert_eq!(frames.len(), 2);
        assert_eq!(
            frames[1].as_ref().unwrap_err().kind(),
            EngineErrorKind::Interrupted
        );
    }

    #[tokio::test]
    async fn an_endless_line_ends_the_stream() {
        let chunk: Result<Bytes, EngineError> = Ok(Bytes::from(vec![b'x'; 400 * 1024]));
        let frames: Vec<_> = frames(stream::repeat(chunk)).collect().await;
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].as_ref().unwrap_err().kind(), EngineErrorKind::Malformed);
    }
}
