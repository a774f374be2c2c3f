//! The few calls of the Docker Engine API by which tests look at an engine.
//!
//! Deliberately not the client that the product uses: a witness must not share the mistakes of what it testifies about.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE;
use serde_json::{Value, json};

/// Longer than any pull here takes.
const LIMIT: Duration = Duration::from_secs(120);

/// What an engine answered instead of pulling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status of the answer; 200 when the error came in the stream.
    pub status: u16,
    /// The engine's message.
    pub message: String,
}

/// A client of one engine.
///
/// See <https://docs.docker.com/reference/api/engine/version/v1.41/>.
#[derive(Debug, Clone)]
pub struct EngineApi {
    client: reqwest::Client,
    host: String,
}

impl EngineApi {
    pub(crate) fn new(socket: &Path) -> Result<Self> {
        let client = reqwest::Client::builder()
            .unix_socket(socket)
            .timeout(LIMIT)
            .build()?;
        Ok(Self {
            client,
            host: format!("unix://{}", socket.display()),
        })
    }

    /// The engine's address as `DOCKER_HOST` takes it: `unix://PATH`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) async fn answers(&self) -> bool {
        match self.client.get("http://engine/_ping").send().await {
            Ok(response) => response.status().is_success(),
            Err(_) => false,
        }
    }

    /// Pulls `image`, a full reference, with the JSON of an `X-Registry-Auth` header.
    ///
    /// # Errors
    /// The engine cannot be reached. What the engine itself refuses is the inner result.
    pub async fn pull(&self, image: &str, auth: Option<&Value>) -> Result<Result<(), Refusal>> {
        let mut request = self
            .client
            .post("http://engine/images/create")
            .query(&[("fromImage", image)]);
        if let Some(auth) = auth {
            request = request.header("X-Registry-Auth", BASE64_URL_SAFE.encode(auth.to_string()));
        }
        let response = request.send().await?;
        let status = response.status();
        let body = response.text().await?;
        if !status.is_success() {
            let answer: Value = serde_json::from_str(&body)?;
            let message = answer["message"].as_str().unwrap_or(&body).to_owned();
            return Ok(Err(Refusal {
                status: status.as_u16(),
                message,
            }));
        }
        for line in body.lines() {
            let event: Value = serde_json::from_str(line)?;
            if let Some(message) = event["error"].as_str() {
                return Ok(Err(Refusal {
                    status: 200,
                    message: message.to_owned(),
                }));
            }
        }
        Ok(Ok(()))
    }

    /// The names (`repository:tag` and `repository@digest`) of every image that the engine holds.
    ///
    /// # Errors
    /// The engine cannot be reached.
    pub async fn images(&self) -> Result<Vec<String>> {
        let images: Value = self
            .client
            .get("http://engine/images/json")
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let mut names = Vec::new();
        for image in images.as_array().into_iter().flatten() {
            for list in ["RepoTags", "RepoDigests"] {
                names.extend(
                    image[list]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .map(str::to_owned),
                );
            }
        }
        Ok(names)
    }

    /// Whether the engine holds `image`.
    ///
    /// # Errors
    /// The engine cannot be reached.
    pub async fn has(&self, image: &str) -> Result<bool> {
        let response = self
            .client
            .get(format!("http://engine/images/{image}/json"))
            .send()
            .await?;
        match response.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            other => bail!("the engine answered {other} when asked for {image}"),
        }
    }

    /// The platform of an image that the engine holds: `linux/amd64`.
    ///
    /// # Errors
    /// The engine cannot be reached or does not hold it.
    pub async fn platform(&self, image: &str) -> Result<String> {
        let response = self
            .client
            .get(format!("http://engine/images/{image}/json"))
            .send()
            .await?;
        let image: Value = response.error_for_status()?.json().await?;
        let text = |key: &str| image[key].as_str().unwrap_or_default();
        Ok(format!("{}/{}", text("Os"), text("Architecture")))
    }

    /// How many pulls have ended well since then.
    ///
    /// # Errors
    /// The engine cannot be reached.
    pub async fn pulls_since(&self, since: SystemTime) -> Result<u32> {
        let time = |time: SystemTime| -> Result<String> {
            Ok(format!("{:.9}", time.duration_since(UNIX_EPOCH)?.as_secs_f64()))
        };
        let (since, until) = (time(since)?, time(SystemTime::now())?);
        let filters = json!({"type": ["image"], "event": ["pull"]}).to_string();
        let request = self.client.get("http://engine/events").query(&[
            ("since", since.as_str()),
            ("until", until.as_str()),
            ("filters", filters.as_str()),
        ]);
        let events = request.send().await?.error_for_status()?.text().await?;
        Ok(u32::try_from(events.lines().count())?)
    }

    /// Removes every name of `image`.
    ///
    /// # Errors
    /// The engine cannot be reached or does not hold it.
    pub async fn remove(&self, image: &str) -> Result<()> {
        let url = format!("http://engine/images/{image}");
        self.client
            .delete(url)
            .query(&[("force", "true")])
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}
