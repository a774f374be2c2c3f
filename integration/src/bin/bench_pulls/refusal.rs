//! How soon a wrong password is known to be wrong.

use std::path::Path;

use anyhow::{Result, ensure};
use integration::{EcsPull, Figure, Image, Site};

pub(crate) async fn figure(program: &Path) -> Result<Figure> {
    let site = Site::start().await?;
    site.registry
        .push(&Image::small("app")?, "team/app", "v1")
        .await?;
    site.configure(&site.registry.host(), "wrong")?;
    let configuration = site.path("ecs.config").display().to_string();
    let image = site.registry.image("team/app", "v1");
    let before = site.registry.requests().len();
    let run = EcsPull::of_program(program, ["--config-file", &configuration, "pull", &image]);
    let output = run.envs(site.environment()).run().await?;
    ensure!(output.code == 5, "a wrong password ended with {}", output.code);
    let asked = site.registry.requests().len() - before;
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let asked = asked as f64;
    Ok(Figure::new(
        "requests until a wrong password is final",
        asked,
        2.0,
        "",
    ))
}
