//! Real layers, a real registry, a real engine, and between the last two what goes wrong on the way.
//!
//! Every row has its own repository and its own proxy, so that the rows of a table run at the same time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ecs_image_puller::testing::fault_proxy::{Answer, Fault, FaultProxy, RetryAfter, Rule};
use ecs_image_puller::{
    Behavior, ConnectOptions, DockerEngine, DockerHost, PullFailure, PullRequest, Pulled, Puller,
    PullerSettings, RetrySettings, Silent,
};
use ecs_registry_auth::{
    CredentialSource, ErrorClass, ErrorName, Provenance, RegistryCredential, ResolvedCredential, Stage,
    StaticKeychain,
};
use integration::{Access, Engine, Image, Platform, Registry};

const PASSWORD: &str = "s3cret>?~of-alice";
const LAYER: usize = 400_000;

fn noise(seed: &str) -> Vec<u8> {
    let mut state = seed.bytes().fold(1u64, |state, byte| {
        state.wrapping_mul(31).wrapping_add(byte.into()) | 1
    });
    (0..LAYER)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

fn settings() -> PullerSettings {
    let retry = |attempts| RetrySettings {
        attempts,
        first_delay: Duration::from_millis(100),
        factor: 2.0,
        longest_delay: Duration::from_millis(400),
    };
    PullerSettings {
        pull_timeout: Duration::from_secs(30),
        begin_timeout: Duration::from_secs(4),
        inactivity_timeout: Duration::from_secs(3),
        manifest_timeout: Duration::from_secs(5),
        behavior: Behavior::Always,
        manifest_retry: retry(4),
        pull_retry: retry(3),
        longest_wait: Duration::from_secs(2),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn explore() -> Result<()> {
    let t = Instant::now();
    let users = [("alice", PASSWORD)];
    let (engine, registry, open) = tokio::try_join!(
        Engine::start(&["registry.example.com"]),
        Registry::start("registry.example.com", Access::Passwords(&users)),
        Registry::start("registry.example.com", Access::Open),
    )?;
    eprintln!("started {:?}", t.elapsed());
    let docker = DockerEngine::connect(&DockerHost::parse(engine.host())?, ConnectOptions::default()).await?;
    let puller = Puller::new(Arc::new(docker), settings());
    let port = |r: &Registry| -> SocketAddr {
        format!("127.0.0.1:{}", r.host().rsplit(':').next().unwrap())
            .parse()
            .unwrap()
    };
    let elsewhere = FaultProxy::start_at("127.0.0.2:0".parse()?, port(&open)).await?;
    let away = format!("http://{}", elsewhere.address());
    elsewhere.inject(Rule::on(
        "/token",
        Fault::Answer(Answer::status(200).with_body("application/json", "{\"token\":\"x\"}")),
    ));
    let manifests = "/v2/*/manifests/*";
    let blobs = "/v2/*/blobs/*";
    let w = elsewhere.watch(PASSWORD);
    let rows: Vec<(&str, Rule)> = vec![
        ("none", Rule::on("/nothing", Fault::Status(500))),
        ("503m1", Rule::on(manifests, Fault::Status(503)).times(1)),
        ("503m", Rule::on(manifests, Fault::Status(503))),
        ("500ping2", Rule::on("/v2/", Fault::Status(500)).times(2)),
        ("500ping", Rule::on("/v2/", Fault::Status(500))),
        ("503b1", Rule::on(blobs, Fault::Status(503)).times(1)),
        ("404b", Rule::on(blobs, Fault::Status(404))),
        ("403b", Rule::on(blobs, Fault::Status(403))),
        ("401b", Rule::on(blobs, Fault::Status(401))),
        ("429b", Rule::on(blobs, Fault::Status(429))),
        ("401m", Rule::on(manifests, Fault::Status(401))),
        ("403m", Rule::on(manifests, Fault::Status(403))),
        ("404m", Rule::on(manifests, Fault::Status(404))),
        ("404mget", Rule::on(manifests, Fault::Status(404)).skip(2)),
        (
            "429m1",
            Rule::on(
                manifests,
                Fault::Answer(Answer::status(429).with_retry_after(RetryAfter::Seconds(1))),
            )
            .times(1),
        ),
        (
            "429m",
            Rule::on(
                manifests,
                Fault::Answer(
                    Answer::status(429).with_retry_after(RetryAfter::Date(Duration::from_secs(60))),
                ),
            ),
        ),
        (
            "reset1",
            Rule::on(blobs, Fault::Reset { after: 100_000 })
                .method("GET")
                .times(1),
        ),
        (
            "trunc1",
            Rule::on(blobs, Fault::Truncate { after: 100_000 })
                .method("GET")
                .times(1),
        ),
        (
            "wrong1",
            Rule::on(blobs, Fault::WrongByte { at: 100_000 })
                .method("GET")
                .times(2),
        ),
        (
            "wrong",
            Rule::on(blobs, Fault::WrongByte { at: 100_000 }).method("GET"),
        ),
        (
            "wrongm",
            Rule::on(manifests, Fault::WrongByte { at: 100 }).method("GET"),
        ),
        (
            "stall1",
            Rule::on(blobs, Fault::Stall { after: 100_000 })
                .method("GET")
                .times(1),
        ),
        (
            "stall",
            Rule::on(blobs, Fault::Stall { after: 100_000 }).method("GET"),
        ),
        ("slow", Rule::on(blobs, Fault::Slow { rate: 100_000 })),
        (
            "delaym",
            Rule::on(manifests, Fault::Delay(Duration::from_secs(60))),
        ),
        ("delayb", Rule::on(blobs, Fault::Delay(Duration::from_secs(60)))),
        ("redirectb", Rule::on(blobs, Fault::Redirect { to: away.clone() })),
        (
            "redirectm",
            Rule::on(manifests, Fault::Redirect { to: away.clone() }),
        ),
        (
            "redirectv2",
            Rule::on("/v2/", Fault::Redirect { to: away.clone() }),
        ),
        (
            "realm",
            Rule::on(
                "/v2/",
                Fault::Realm {
                    realm: format!("{away}/token"),
                },
            ),
        ),
        (
            "realmm",
            Rule::on(
                manifests,
                Fault::Realm {
                    realm: format!("{away}/token"),
                },
            ),
        ),
        (
            "basicrealm",
            Rule::on(
                "/v2/",
                Fault::Answer(
                    Answer::status(401).with_header("www-authenticate", format!("Basic realm=\"{away}\"")),
                ),
            ),
        ),
        (
            "htmlping",
            Rule::on(
                "/v2/",
                Fault::Answer(Answer::status(200).with_body("text/html", "<html>log in</html>")),
            ),
        ),
        (
            "htmlm",
            Rule::on(
                manifests,
                Fault::Answer(Answer::status(200).with_body("text/html", "<html>log in</html>")),
            ),
        ),
        (
            "htmlb",
            Rule::on(
                blobs,
                Fault::Answer(Answer::status(200).with_body("text/html", "<html>log in</html>")),
            ),
        ),
        (
            "html503",
            Rule::on(
                manifests,
                Fault::Answer(Answer::status(503).with_body("text/html", "<html>sorry</html>")),
            ),
        ),
        (
            "refuse1",
            Rule::on(
                manifests,
                Fault::Refuse {
                    lasting: Duration::from_millis(150),
                },
            )
            .times(1),
        ),
        (
            "refuse",
            Rule::on(
                manifests,
                Fault::Refuse {
                    lasting: Duration::from_secs(20),
                },
            )
            .times(1),
        ),
        (
            "refuseb",
            Rule::on(
                blobs,
                Fault::Refuse {
                    lasting: Duration::from_millis(300),
                },
            )
            .times(1),
        ),
    ];
    let wanted = std::env::var("ROWS").unwrap_or_default();
    for (name, rule) in rows {
        if !wanted.is_empty() && !wanted.split(',').any(|w| w == name) {
            continue;
        }
        let image = Image::with_layers(Platform::of_this_machine(), &[&noise(name)])?;
        let repository = format!("team/{name}");
        registry.push(&image, &repository, "v1").await?;
        open.push(&image, &repository, "v1").await?;
        let proxy = FaultProxy::start(port(&registry)).await?;
        let injected = proxy.inject(rule);
        let host = format!("registry.example.com:{}", proxy.address().port());
        let reference: ecs_registry_auth::ImageReference = format!("{host}/{repository}:v1").parse()?;
        let keychain = StaticKeychain::new(ResolvedCredential::new(
            RegistryCredential::basic("alice", PASSWORD),
            Provenance::new(CredentialSource::EngineAuth, reference.registry().clone()),
        ));
        let before = (w.sightings(), elsewhere.request_count());
        let t = Instant::now();
        let outcome = puller
            .pull(&PullRequest::new(reference, Arc::new(keychain)), &Silent)
            .await;
        eprintln!(
            "=== {name}: {:?} hits {} elsewhere {:?}",
            t.elapsed(),
            injected.hits(),
            (w.sightings() - before.0, elsewhere.request_count() - before.1)
        );
        match outcome {
            Ok(p) => eprintln!(
                "  ok {:?} attempts {} {:?}",
                p.status, p.facts.attempts, p.facts.history
            ),
            Err(f) => {
                let d = f.diagnosis();
                eprintln!(
                    "  ERR {} {:?} {:?} retriable {} attempts {}\n   {}\n   cause {:?}\n   next {:?}",
                    d.name(),
                    d.class(),
                    d.stage(),
                    d.is_retriable(),
                    f.facts().attempts,
                    d.message(),
                    d.cause(),
                    d.next_step()
                );
                for a in &f.facts().history {
                    eprintln!("     {} {} {} {:?}", a.number, a.stage, a.message, a.cause);
                }
            }
        }
        for r in proxy.requests() {
            eprintln!(
                "      {} {} {:?} {:?} {:?} {}",
                r.method,
                r.path.chars().take(60).collect::<String>(),
                r.authorization,
                r.range,
                r.status,
                r.bytes
            );
        }
    }
    for r in elsewhere.requests() {
        eprintln!(
            "  elsewhere    {} {} {:?} {:?} {:?} {}",
            r.method, r.path, r.authorization, r.range, r.status, r.bytes
        );
    }
    Ok(())
}
