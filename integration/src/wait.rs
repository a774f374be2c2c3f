//! Waiting for something that another process does.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longer than anything here takes; what hangs is a failed test, not a hanging one.
const LIMIT: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until `condition` holds; `what` says in an error what that is.
///
/// # Errors
/// It did not come true within a minute.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !condition().await {
        if begun.elapsed() > LIMIT {
            bail!("waited {LIMIT:?} in vain: {what}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
