//! What goes wrong between an engine and its registry: a real engine, a real registry, a fault proxy between the two.
//!
//! One table per fault. Every row has an image of its own, so that no layer is there before, and a proxy of its own.
//! A second host stands by to which no row may carry the password.

use std::time::Duration;

use anyhow::Result;
use ecs_image_puller::testing::fault_proxy::{Answer, Fault, RetryAfter, Rule};
use ecs_registry_auth::{ErrorClass, ErrorName, Stage};

mod scene;

use ErrorName::{CannotPullContainer, CannotPullImageManifest, DockerTimeout};
use scene::End::{Final, Pulled, Retriable};
use scene::{MANIFEST_ATTEMPTS, MakeRule, PULL_ATTEMPTS, Scene};

/// In the middle of a layer.
const MIDDLE: u64 = 150_000;
const MANIFESTS: &str = "/v2/*/manifests/*";
const BLOBS: &str = "/v2/*/blobs/*";

fn html(status: u16) -> Fault {
    Fault::Answer(
        Answer::status(status).with_body("text/html", "<!DOCTYPE html><title>Please log in</title>"),
    )
}

fn limited(retry_after: RetryAfter) -> Fault {
    Fault::Answer(Answer::status(429).with_retry_after(retry_after))
}

#[tokio::test]
async fn a_status_is_retried_or_final() -> Result<()> {
    use ErrorClass::{NotFound, Other, Refused};
    Scene::start()
        .await?
        .run_all(vec![
            // An engine asks for a manifest twice, by HEAD and by GET, before it gives up.
            (
                "manifest-503-once",
                |_| Rule::on(MANIFESTS, Fault::Status(503)).times(2),
                Pulled(2),
            ),
            (
                "manifest-503",
                |_| Rule::on(MANIFESTS, Fault::Status(503)),
                Retriable(CannotPullContainer, Other, Stage::Manifest, MANIFEST_ATTEMPTS),
            ),
            (
                "manifest-500",
                |_| Rule::on(MANIFESTS, Fault::Status(500)),
                Retriable(CannotPullContainer, Other, Stage::Manifest, MANIFEST_ATTEMPTS),
            ),
            (
                "manifest-401",
                |_| Rule::on(MANIFESTS, Fault::Status(401)),
                Final(CannotPullContainer, Refused, Stage::Manifest, 1),
            ),
            (
                "manifest-403",
                |_| Rule::on(MANIFESTS, Fault::Status(403)),
                Final(CannotPullContainer, Refused, Stage::Manifest, 1),
            ),
            (
                "manifest-404",
                |_| Rule::on(MANIFESTS, Fault::Status(404)),
                Final(CannotPullContainer, NotFound, Stage::Manifest, 1),
            ),
            // The engine tries a layer or a configuration six times before it says what is wrong, with waits of its own
            // of up to 20 s for layers: the rows for what lasts are about the configuration, which goes faster.
            (
                "layer-503-once",
                |place| Rule::on(place.layer, Fault::Status(503)).times(1),
                Pulled(1),
            ),
            (
                "blobs-401",
                |_| Rule::on(BLOBS, Fault::Status(401)),
                Final(CannotPullContainer, Refused, Stage::Pull, 1),
            ),
            (
                "blobs-403",
                |_| Rule::on(BLOBS, Fault::Status(403)),
                Final(CannotPullContainer, Refused, Stage::Pull, 1),
            ),
            (
                "blobs-404",
                |_| Rule::on(BLOBS, Fault::Status(404)),
                Final(CannotPullContainer, NotFound, Stage::Pull, 1),
            ),
        ])
        .await
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_within_the_budget() -> Result<()> {
    // An engine keeps the header to itself, so that the wait is the puller's own.
    Scene::start_patient()
        .await?
        .run_all(vec![
            (
                "seconds-once",
                |_| Rule::on(MANIFESTS, limited(RetryAfter::Seconds(1))).times(2),
                Pulled(2),
            ),
            (
                "date-once",
                |_| Rule::on(MANIFESTS, limited(RetryAfter::Date(Duration::from_secs(1)))).times(2),
                Pulled(2),
            ),
            (
                "date",
                |_| Rule::on(MANIFESTS, limited(RetryAfter::Date(Duration::from_secs(3600)))),
                Retriable(
                    CannotPullContainer,
                    ErrorClass::RateLimited,
                    Stage::Manifest,
                    MANIFEST_ATTEMPTS,
                ),
            ),
            (
                "blobs",
                |_| Rule::on(BLOBS, limited(RetryAfter::Seconds(1))),
                Retriable(
                    CannotPullContainer,
                    ErrorClass::RateLimited,
                    Stage::Pull,
                    PULL_ATTEMPTS,
                ),
            ),
        ])
        .await
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_layer_is_taken_up_again() -> Result<()> {
    let scene = Scene::start().await?;
    let rows: Vec<(&str, MakeRule)> = vec![
        ("reset", |place| {
            Rule::on(place.layer, Fault::Reset { after: MIDDLE }).times(1)
        }),
        ("truncated", |place| {
            Rule::on(place.layer, Fault::Truncate { after: MIDDLE }).times(1)
        }),
    ];
    for (name, rule) in rows {
        let went = scene.run(name, rule).await?;
        assert_eq!(went.end, Pulled(1), "{name}");
        // The engine keeps what it has and asks for the rest. A reset discards what has not left the sender yet.
        let asked = went.layer_requests();
        assert_eq!(asked.len(), 2, "{name}: {asked:?}");
        assert_eq!(
            (asked[0].bytes, asked[0].range.as_deref()),
            (MIDDLE, None),
            "{name}"
        );
        let from: Option<u64> = asked[1]
            .range
            .as_deref()
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        assert!(
            from.is_some_and(|from| (1..=MIDDLE).contains(&from)),
            "{name}: {asked:?}"
        );
        assert_eq!(scene.leak.sightings(), 0, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_byte_is_never_accepted() -> Result<()> {
    Scene::start()
        .await?
        .run_all(vec![
            (
                "layer-once",
                |place| Rule::on(place.layer, Fault::WrongByte { at: MIDDLE }).times(1),
                Pulled(2),
            ),
            (
                "layer",
                |place| Rule::on(place.layer, Fault::WrongByte { at: MIDDLE }),
                Retriable(CannotPullContainer, ErrorClass::Other, Stage::Pull, PULL_ATTEMPTS),
            ),
            (
                "manifest",
                |_| Rule::on(MANIFESTS, Fault::WrongByte { at: 100 }).method("GET"),
                Retriable(CannotPullContainer, ErrorClass::Other, Stage::Pull, PULL_ATTEMPTS),
            ),
            (
                "configuration",
                |_| Rule::on(BLOBS, Fault::WrongByte { at: 10 }),
                Retriable(CannotPullContainer, ErrorClass::Other, Stage::Pull, PULL_ATTEMPTS),
            ),
        ])
        .await
}

#[tokio::test]
async fn silence_has_its_limits() -> Result<()> {
    const LONG: Duration = Duration::from_secs(60);
    Scene::start()
        .await?
        .run_all(vec![
            (
                "layer-once",
                |place| Rule::on(place.layer, Fault::Stall { after: MIDDLE }).times(1),
                Pulled(2),
            ),
            (
                "layer",
                |place| Rule::on(place.layer, Fault::Stall { after: MIDDLE }),
                Retriable(DockerTimeout, ErrorClass::TimedOut, Stage::Pull, PULL_ATTEMPTS),
            ),
            (
                "manifest",
                |_| Rule::on(MANIFESTS, Fault::Delay(LONG)),
                Retriable(DockerTimeout, ErrorClass::TimedOut, Stage::Manifest, 1),
            ),
        ])
        .await
}

#[tokio::test]
async fn a_slow_registry_is_no_fault() -> Result<()> {
    // Four seconds for the layer, which is more than the limit of silence.
    Scene::start()
        .await?
        .run_all(vec![(
            "layer",
            |place| Rule::on(place.layer, Fault::Slow { rate: 100_000 }),
            Pulled(1),
        )])
        .await
}

#[tokio::test]
async fn a_redirect_is_followed_without_the_password() -> Result<()> {
    let scene = Scene::start().await?;
    scene
        .run_all(vec![
            (
                "layers",
                |place| {
                    Rule::on(
                        BLOBS,
                        Fault::Redirect {
                            to: place.elsewhere.to_owned(),
                        },
                    )
                },
                Pulled(1),
            ),
            (
                "manifests",
                |place| {
                    Rule::on(
                        MANIFESTS,
                        Fault::Redirect {
                            to: place.elsewhere.to_owned(),
                        },
                    )
                },
                Pulled(1),
            ),
        ])
        .await?;
    let followed = scene.elsewhere.requests();
    assert!(
        followed.iter().any(|request| request.path.contains("/blobs/")),
        "{followed:?}"
    );
    assert!(
        followed
            .iter()
            .any(|request| request.path.contains("/manifests/")),
        "{followed:?}"
    );
    assert!(
        followed.iter().all(|request| request.authorization.is_none()),
        "{followed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_realm_elsewhere_gets_the_password_only_where_the_token_protocol_sends_it() -> Result<()> {
    let scene = Scene::start().await?;
    let basic: MakeRule = |place| {
        let challenge = format!("Basic realm=\"{}/token\"", place.elsewhere);
        Rule::on(
            "/v2/",
            Fault::Answer(Answer::status(401).with_header("www-authenticate", challenge)),
        )
    };
    let late: MakeRule = |place| {
        Rule::on(
            MANIFESTS,
            Fault::Realm {
                realm: format!("{}/token", place.elsewhere),
            },
        )
    };
    scene
        .run_all(vec![
            // The realm of basic authentication is a name, whatever it looks like.
            ("basic", basic, Pulled(1)),
            // A challenge counts where the engine asks for it, not in the middle.
            (
                "late",
                late,
                Final(CannotPullContainer, ErrorClass::Refused, Stage::Manifest, 1),
            ),
        ])
        .await?;
    assert_eq!(scene.elsewhere.request_count(), 0);

    // A bearer realm is the registry's own word for who issues its tokens, and often on another host: the engine brings
    // the password there, once, and never a layer's or manifest's request.
    let token = Answer::status(200).with_body("application/json", "{\"token\": \"not-of-this-registry\"}");
    scene.elsewhere.inject(Rule::on("/token", Fault::Answer(token)));
    let bearer: MakeRule = |place| {
        Rule::on(
            "/v2/",
            Fault::Realm {
                realm: format!("{}/token", place.elsewhere),
            },
        )
    };
    let went = scene.run("bearer", bearer).await?;
    assert_eq!(
        went.end,
        Final(CannotPullContainer, ErrorClass::Refused, Stage::Manifest, 1)
    );
    let asked = scene.elsewhere.requests();
    assert!(asked.iter().all(|request| request.path == "/token"), "{asked:?}");
    assert_eq!((asked.len(), scene.leak.sightings()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_registry_that_restarts_is_found_again() -> Result<()> {
    use ErrorClass::Other;
    Scene::start()
        .await?
        .run_all(vec![
            (
                "manifest-once",
                |_| {
                    Rule::on(
                        MANIFESTS,
                        Fault::Refuse {
                            lasting: Duration::from_millis(50),
                        },
                    )
                    .times(1)
                },
                Pulled(2),
            ),
            (
                "manifest",
                |_| {
                    Rule::on(
                        MANIFESTS,
                        Fault::Refuse {
                            lasting: Duration::from_secs(60),
                        },
                    )
                    .times(1)
                },
                Retriable(CannotPullContainer, Other, Stage::Manifest, MANIFEST_ATTEMPTS),
            ),
            (
                "layer-once",
                |place| {
                    Rule::on(
                        place.layer,
                        Fault::Refuse {
                            lasting: Duration::from_millis(50),
                        },
                    )
                    .times(1)
                },
                Pulled(1),
            ),
        ])
        .await
}

#[tokio::test]
async fn a_login_page_is_not_taken_for_an_answer() -> Result<()> {
    Scene::start()
        .await?
        .run_all(vec![
            (
                "manifest",
                |_| Rule::on(MANIFESTS, html(200)),
                Final(CannotPullImageManifest, ErrorClass::Other, Stage::Manifest, 1),
            ),
            (
                "layer",
                |place| Rule::on(place.layer, html(200)),
                Retriable(CannotPullContainer, ErrorClass::Other, Stage::Pull, PULL_ATTEMPTS),
            ),
            (
                "failure",
                |_| Rule::on(MANIFESTS, html(503)),
                Retriable(
                    CannotPullContainer,
                    ErrorClass::Other,
                    Stage::Manifest,
                    MANIFEST_ATTEMPTS,
                ),
            ),
        ])
        .await
}
