//! What a long stream of progress costs this side, by an engine that tells of nothing else.

use std::path::Path;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use integration::{Figure, Site};
use serde_json::json;
use tokio::net::UnixListener;

use crate::measure::{Cost, cost};

const MANY: u64 = 1_000_000;
const FEW: u64 = 10_000;
const LAYERS: u64 = 8;
/// Messages that are sent together, as an engine's buffers do.
const TOGETHER: u64 = 500;
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) async fn figures(program: &Path) -> Result<Vec<Figure>> {
    let site = Site::start().await?;
    let few = pull(program, &site, FEW).await?;
    let many = pull(program, &site, MANY).await?;
    Ok(vec![
        Figure::new("processor time of 1,000,000 events", many.processor, 2.0, "s"),
        Figure::new(
            "memory of 1,000,000 events, of 10,000",
            many.memory / few.memory * 100.0,
            110.0,
            "%",
        ),
    ])
}

async fn pull(program: &Path, site: &Site, events: u64) -> Result<Cost> {
    let socket = site.path(&format!("{events}.sock"));
    let listener = UnixListener::bind(&socket)?;
    let engine = Router::new().fallback(answer).with_state(events);
    let server = tokio::spawn(async move { axum::serve(listener, engine).await });
    let host = format!("unix://{}", socket.display());
    let image = site.registry.image("team/app", "v1");
    let cost = cost(program, site, &host, &["--progress", "plain", "pull", &image]).await;
    server.abort();
    cost
}

/// As much of an engine as a pull asks for.
async fn answer(State(events): State<u64>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    if path.ends_with("/version") {
        let version = json!({
            "Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64",
        });
        axum::Json(version).into_response()
    } else if path.contains("/distribution/") {
        let media_type = "application/vnd.docker.distribution.manifest.v2+json";
        let descriptor = json!({"mediaType": media_type, "digest": DIGEST, "size": 500});
        let platforms = json!([{"os": "linux", "architecture": "amd64"}]);
        axum::Json(json!({"Descriptor": descriptor, "Platforms": platforms})).into_response()
    } else if path.ends_with("/images/create") {
        let parts = (0..events / TOGETHER).map(move |part| Ok::<_, std::io::Error>(messages(part, events)));
        Body::from_stream(futures_util::stream::iter(parts)).into_response()
    } else if path.ends_with("/tag") && method == Method::POST {
        StatusCode::CREATED.into_response()
    } else {
        axum::Json(json!({"Id": DIGEST, "Os": "linux", "Architecture": "amd64", "Size": 1})).into_response()
    }
}

fn messages(part: u64, events: u64) -> Bytes {
    let mut text = String::new();
    for number in part * TOGETHER..(part + 1) * TOGETHER {
        let (layer, current) = (number % LAYERS, number / LAYERS * 1000);
        let message = json!({
            "status": "Downloading",
            "progressDetail": {"current": current, "total": events / LAYERS * 1000},
            "progress": "[=========>                                         ]  9.999MB/99.99MB",
            "id": format!("{layer:012x}"),
        });
        text.push_str(&message.to_string());
        text.push_str("\r\n");
    }
    text.into()
}
