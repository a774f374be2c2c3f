//! Many pulls at once.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use integration::{Figure, Image, Platform, Site, noise};

use crate::measure::{cost, median, run, share};

const MIB: usize = 1 << 20;
const EQUAL: usize = 50;
const DIFFERENT: usize = 200;

pub(crate) async fn figures(program: &Path) -> Result<Vec<Figure>> {
    let site = Site::start().await?;
    let mut figures = equal(program, &site).await?;
    figures.push(different(program, &site).await?);
    Ok(figures)
}

/// The same image for many containers.
async fn equal(program: &Path, site: &Site) -> Result<Vec<Figure>> {
    let layers: Vec<Vec<u8>> = (10..18).map(|seed| noise(seed, 32 * MIB)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = Image::with_layers(Platform::of_this_machine(), &layers)?;
    site.registry.push(&image, "team/large", "v1").await?;
    let image = site.registry.image("team/large", "v1");

    let mut arguments = vec!["--progress", "none", "pull"];
    arguments.extend([image.as_str(); EQUAL]);
    let (mut one, mut all, mut most) = (Vec::new(), Vec::new(), 0);
    for round in 0..4 {
        for count in [1, EQUAL] {
            let before = SystemTime::now();
            let output = run(program, site, &arguments[..2 + count + 1]).await?;
            let pulls = site.engine.pulls_since(before).await?;
            site.engine.remove(&image).await?;
            if round > 0 {
                let times = if count == 1 { &mut one } else { &mut all };
                times.push(output.duration);
            }
            most = pulls.max(most);
        }
    }
    Ok(vec![
        Figure::new(
            "50 equal pulls at once, of one's time",
            share(median(all)?, median(one)?),
            110.0,
            "%",
        ),
        Figure::new("pulls of the engine for 50 equal ones", f64::from(most), 1.0, ""),
    ])
}

/// Many images, of which no more than the limit are pulled at once.
async fn different(program: &Path, site: &Site) -> Result<Figure> {
    let mut images = Vec::new();
    for number in 0..DIFFERENT {
        let layer = noise(1000 + number as u64, 10_000);
        let image = Image::with_layers(Platform::of_this_machine(), &[&layer])?;
        let repository = format!("team/app-{number}");
        site.registry.push(&image, &repository, "v1").await?;
        images.push(site.registry.image(&repository, "v1"));
    }
    let mut arguments = vec!["--progress", "none", "pull"];
    arguments.extend(images.iter().map(String::as_str));
    let few = cost(
        program,
        site,
        site.engine.host(),
        &arguments[..3 + DIFFERENT / 10],
    )
    .await?;
    for image in &images[..DIFFERENT / 10] {
        site.engine.remove(image).await?;
    }
    let many = cost(program, site, site.engine.host(), &arguments).await?;
    for image in &images {
        ensure!(site.engine.has(image).await?, "{image} is missing");
    }
    Ok(Figure::new(
        "memory of 200 images, of that of 20",
        many.memory / few.memory * 100.0,
        125.0,
        "%",
    ))
}
