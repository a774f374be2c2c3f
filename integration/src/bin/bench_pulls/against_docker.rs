//! The same pull by `ecs-pull` and by `docker`, from the start of the process to its end, on the same engine.

use std::path::Path;

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use integration::{EcsPull, Figure, Image, Platform, Site, noise};
use serde_json::json;

use crate::measure::{median, run, share};

const MIB: usize = 1 << 20;

pub(crate) async fn figures(program: &Path) -> Result<Vec<Figure>> {
    let site = Site::start().await?;
    log_in(&site)?;
    let large: Vec<Vec<u8>> = (0..8).map(|seed| noise(seed, 32 * MIB)).collect();
    let large: Vec<&[u8]> = large.iter().map(Vec::as_slice).collect();
    let small = noise(8, 10_000);
    let platform = Platform::of_this_machine();
    let mut figures = Vec::new();
    for (name, layers, pairs, limit) in [
        ("256 MiB in 8 layers, of docker's time", &large[..], 7, 105.0),
        ("10 kB in one layer, of docker's time", &[&small], 31, 130.0),
    ] {
        let image = Image::with_layers(platform, layers)?;
        site.registry.push(&image, "team/app", "v1").await?;
        let measured = pair(program, &site, &site.registry.image("team/app", "v1"), pairs).await?;
        figures.push(Figure::new(name, measured, limit, "%"));
    }
    Ok(figures)
}

/// The same password for `docker`, where `docker login` would put it.
fn log_in(site: &Site) -> Result<()> {
    let auth = BASE64_STANDARD.encode(format!("{}:{}", Site::USER, Site::PASSWORD));
    let text = json!({"auths": {site.registry.host(): {"auth": auth}}}).to_string();
    std::fs::create_dir_all(site.path(".docker"))?;
    std::fs::write(site.path(".docker/config.json"), text)?;
    Ok(())
}

/// Each in turn and first in turn, without the image before: the median time of `ecs-pull` as a share of `docker`'s.
async fn pair(program: &Path, site: &Site, image: &str, pairs: usize) -> Result<f64> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first pair fills caches and does not count.
    for round in 0..=pairs {
        for turn in 0..2 {
            let is_ours = (round + turn) % 2 == 0;
            let output = if is_ours {
                run(program, site, &["pull", image]).await?
            } else {
                let docker = EcsPull::docker(["pull", image])?.envs(site.environment());
                docker.run().await?
            };
            ensure!(output.code == 0, "docker pull failed: {}", output.stderr);
            site.engine.remove(image).await?;
            ensure!(site.engine.images().await?.is_empty(), "{image} was not removed");
            if round > 0 {
                let times = if is_ours { &mut ours } else { &mut theirs };
                times.push(output.duration);
            }
        }
    }
    Ok(share(median(ours)?, median(theirs)?))
}
