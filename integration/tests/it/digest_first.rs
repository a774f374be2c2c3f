//! What a tag stands for is asked first; exactly that is pulled, and gets the tag.

use anyhow::Result;
use integration::{Image, Platform, RegistryRequest, Site};
use serde_json::json;

/// The paths of the manifests that were asked for since `before`.
fn manifests(site: &Site, before: usize) -> Vec<String> {
    let asked = site.registry.requests().split_off(before);
    asked
        .into_iter()
        .filter(RegistryRequest::is_for_manifest)
        .map(|request| request.path)
        .collect()
}

#[tokio::test]
async fn a_tag_is_resolved_then_its_digest_is_pulled_and_tagged() -> Result<()> {
    let site = Site::start().await?;
    let digest = site
        .registry
        .push(&Image::small("app")?, "team/app", "v1")
        .await?;
    let image = site.registry.image("team/app", "v1");
    let before = site.registry.requests().len();

    let output = site
        .ecs_pull(&["--output", "json", "pull", &image])?
        .run()
        .await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    let entry = &output.json()?["containers"][0];
    let reference = format!("{}/team/app@{digest}", site.registry.host());
    assert_eq!(entry["digest"], digest);
    assert_eq!(entry["reference"], reference);

    let asked = manifests(&site, before);
    let (tag, by_digest) = (
        "/v2/team/app/manifests/v1",
        format!("/v2/team/app/manifests/{digest}"),
    );
    let turn = asked
        .iter()
        .position(|path| *path == by_digest)
        .unwrap_or_default();
    assert!(
        turn > 0 && asked[..turn].iter().all(|path| path == tag),
        "{asked:?}"
    );
    assert!(asked[turn..].iter().all(|path| *path == by_digest), "{asked:?}");
    for name in [&image, &reference] {
        assert!(site.engine.has(name).await?, "the engine does not hold {name}");
    }
    Ok(())
}

#[tokio::test]
async fn an_image_with_a_digest_costs_no_question_more_than_the_engine_itself() -> Result<()> {
    let site = Site::start().await?;
    // Two images, because the engine keeps a manifest for a while after its image is removed and does not ask for it then.
    let mut images = Vec::new();
    for (content, tag) in [("by the engine", "v1"), ("by ecs-pull", "v2")] {
        let digest = site
            .registry
            .push(&Image::small(content)?, "team/app", tag)
            .await?;
        images.push((format!("{}/team/app@{digest}", site.registry.host()), digest));
    }
    let [(by_engine, engine_digest), (image, digest)] = &images[..] else {
        unreachable!("two were pushed");
    };

    let before = site.registry.requests().len();
    let auth = json!({"username": Site::USER, "password": Site::PASSWORD});
    assert_eq!(site.engine.pull(by_engine, Some(&auth)).await?, Ok(()));
    let asked_by_engine = manifests(&site, before);
    assert!(!asked_by_engine.is_empty());

    let before = site.registry.requests().len();
    let output = site.ecs_pull(&["--output", "json", "pull", image])?.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(output.json()?["containers"][0]["digest"], **digest);
    let asked: Vec<_> = manifests(&site, before)
        .iter()
        .map(|path| path.replace(&**digest, engine_digest))
        .collect();
    assert_eq!(asked, asked_by_engine);
    assert!(site.engine.has(image).await?);
    Ok(())
}

#[tokio::test]
async fn a_platform_that_is_missing_is_known_before_the_download_with_those_that_exist() -> Result<()> {
    let site = Site::start().await?;
    let foreign = ["s390x", "ppc64le"].map(|architecture| Platform {
        os: "linux",
        architecture,
    });
    site.registry
        .push(&Image::for_platforms("app", &foreign)?, "team/app", "v1")
        .await?;
    let image = site.registry.image("team/app", "v1");
    let before = site.registry.requests().len();

    // The platform that was asked for, and the engine's own.
    for platform in [&["--platform", "linux/riscv64"][..], &[]] {
        let run = site
            .ecs_pull(&["--output", "json", "pull", &image])?
            .args(platform);
        let output = run.run().await?;
        assert_eq!(output.code, 6, "{}", output.stderr);
        let entry = &output.json()?["containers"][0];
        assert_eq!(entry["attempts"], 1, "{entry}");
        assert_eq!(entry["error"]["retriable"], false, "{entry}");
        for exists in ["linux/s390x", "linux/ppc64le"] {
            assert!(output.stderr.contains(exists), "{exists}: {}", output.stderr);
        }
    }
    let asked = site.registry.requests().split_off(before);
    assert!(
        asked.iter().all(|request| !request.path.contains("/blobs/")),
        "{asked:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_platform_that_exists_is_the_one_that_is_pulled() -> Result<()> {
    let site = Site::start().await?;
    let platforms = ["s390x", "ppc64le"].map(|architecture| Platform {
        os: "linux",
        architecture,
    });
    site.registry
        .push(&Image::for_platforms("app", &platforms)?, "team/app", "v1")
        .await?;
    let image = site.registry.image("team/app", "v1");
    let run = site.ecs_pull(&["pull", "--platform", "linux/ppc64le", &image])?;
    let output = run.run().await?;
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(site.engine.platform(&image).await?, "linux/ppc64le");
    Ok(())
}
