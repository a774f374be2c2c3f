//! No password, and no encoding of one, is in anything that the command prints, however much it is asked to print.

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use integration::{Output, Stage};

/// Whose base64 has `+`, `/`, `-` or `_` wherever in a group of three bytes the characters come to lie.
const PASSWORDS: [(&str, &str); 3] = [
    (">?~>?~>?~>?~ab", "~>?~>?~>?~>?xy"),
    ("a>?~>?~>?~>?~b", "x~>?~>?~>?~>?y"),
    ("ab>?~>?~>?~>?~", "xy~>?~>?~>?~>?"),
];

/// Every form in which a secret could be seen.
fn forms(stage: &Stage) -> Vec<String> {
    let mut forms = vec![stage.operator.secret_access_key.clone()];
    for (user, password) in [("alice", stage.passwords().0), ("bob", stage.passwords().1)] {
        forms.push(password.to_owned());
        for text in [password.to_owned(), format!("{user}:{password}")] {
            for engine in [
                BASE64_STANDARD,
                BASE64_STANDARD_NO_PAD,
                BASE64_URL_SAFE,
                BASE64_URL_SAFE_NO_PAD,
            ] {
                forms.push(engine.encode(&text));
            }
        }
        // Inside a longer text the encoding depends on how many bytes come before: each of the three alignments.
        for skipped in 0..3 {
            let whole_groups = &password.as_bytes()[skipped..];
            let whole_groups = &whole_groups[..whole_groups.len() / 3 * 3];
            forms.push(BASE64_STANDARD.encode(whole_groups));
            forms.push(BASE64_URL_SAFE.encode(whole_groups));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn assert_silent(stage: &Stage, output: &Output) {
    let printed = format!("{}{}", output.stdout, output.stderr);
    for form in forms(stage) {
        if let Some(position) = printed.find(&form) {
            let start = printed[..position].rfind('\n').map_or(0, |newline| newline + 1);
            panic!(
                "{form} was printed: {}",
                printed[start..].lines().next().unwrap_or_default()
            );
        }
    }
}

#[tokio::test]
async fn a_pull_at_the_highest_log_level_prints_no_secret() -> Result<()> {
    for (alice, bob) in PASSWORDS {
        let mut stage = Stage::start_with_passwords(alice, bob).await?;
        for log_format in ["text", "json"] {
            let arguments = ["-vv", "--log-format", log_format, "--progress", "plain"];
            let run = stage
                .pull(&stage.task_definition(), &arguments)?
                .envs([("RUST_LOG", "trace")]);
            let output = run.run().await?;
            assert_eq!(
                output.code, 0,
                "the password reaches the registry as it is: {}",
                output.stdout
            );
            assert!(output.stderr.len() > 10_000, "the log is on: {}", output.stderr);
            assert_silent(&stage, &output);
            for image in ["team/web", "team/worker"] {
                stage.engine.remove(&stage.private.image(image, "v1")).await?;
            }
        }

        stage.private.set_password("alice", "rotated")?;
        stage.private.set_password("bob", "rotated")?;
        let run = stage
            .pull(&stage.task_definition(), &["-vv"])?
            .envs([("RUST_LOG", "trace")]);
        let output = run.run().await?;
        assert_eq!(output.code, 5, "{}", output.stdout);
        assert_silent(&stage, &output);
    }
    Ok(())
}

#[tokio::test]
async fn a_broken_secret_or_configuration_is_described_without_its_content() -> Result<()> {
    let stage = Stage::start().await?;
    let (alice, bob) = stage.passwords();
    let secrets = [
        alice.to_owned(),
        format!("{{\"username\": \"alice\", \"passwd\": \"{alice}\"}}"),
        format!("{{'username': 'alice', 'password': '{alice}'}}"),
        format!("{{\"username\": \"\", \"password\": \"{alice}\"}}"),
        format!("{{\"username\": \"alice\", \"password\": \"{alice}\""),
    ];
    for secret in secrets {
        stage
            .owner
            .rotate(Stage::SECRET_REGION, &stage.secret, &secret)
            .await?;
        let run = stage
            .pull(&stage.task_definition(), &["-vv", "--container", "web"])?
            .envs([("RUST_LOG", "trace")]);
        let output = run.run().await?;
        assert_eq!(output.code, 4, "{}", output.stderr);
        assert_silent(&stage, &output);
    }

    let host = stage.private.host();
    let image = stage.private.image("team/worker", "v1");
    let auth = BASE64_STANDARD.encode(format!("bob:{bob}"));
    let configurations = [
        format!(
            "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{\"{host}\":{{\"username\":\"bob\",\"password\":\"{bob}\"}}\n"
        ),
        format!("ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={{\"{host}\":[\"bob\",\"{bob}\"]}}\n"),
        format!(
            "ECS_ENGINE_AUTH_TYPE=dockercfg\nECS_ENGINE_AUTH_DATA={{\"{host}\":{{\"auth\":\"?{auth}\"}}}}\n"
        ),
        format!("ECS_ENGINE_AUTH_TYPE={bob}\nECS_ENGINE_AUTH_DATA={{}}\n"),
    ];
    for configuration in configurations {
        stage.write("broken.config", &configuration)?;
        let run = stage
            .ecs_pull_with("broken.config", &["-vv", "pull", &image])?
            .envs([("RUST_LOG", "trace")]);
        let output = run.run().await?;
        assert_eq!(output.code, 3, "{}", output.stderr);
        assert_silent(&stage, &output);
    }
    Ok(())
}
