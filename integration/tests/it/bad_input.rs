//! What users get wrong: each mistake has its exit code and one message with the place and the next step.

use anyhow::Result;
use integration::{ClosedPort, EcsPull, Stage, TaskDefinition};

/// One mistake and what must come of it.
struct Mistake<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    config_file: &'a str,
    code: i32,
    /// What the message must name.
    names: Vec<&'a str>,
}

#[tokio::test]
async fn each_mistake_has_its_exit_code_and_one_message_with_place_and_next_step() -> Result<()> {
    let stage = Stage::start().await?;
    let path = |name: &str| stage.path(name).display().to_string();
    let task = path("task-definition.json");

    stage.write(
        "malformed.json",
        "{\n  \"containerDefinitions\": [\n    {\"name\": \"web\",}\n  ]\n}",
    )?;
    stage.write("other.json", r#"{"Parameters": {}}"#)?;
    stage.write(
        "type.config",
        "# engine auth\nECS_ENGINE_AUTH_TYPE=podman\nECS_ENGINE_AUTH_DATA={}\n",
    )?;
    stage.write(
        "data.config",
        "ECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA={\"a\n",
    )?;
    let shape = stage
        .owner
        .secret(
            Stage::SECRET_REGION,
            "shape",
            r#"{"user": "alice", "password": 7}"#,
            None,
        )
        .await?;
    let definition = |name: &str, task: &TaskDefinition| -> Result<String> {
        Ok(stage.write(name, &task.to_string())?.display().to_string())
    };
    let image = stage.private.image("team/web", "v1");
    let registry = stage.private.host();
    let missing_tag = stage.private.image("team/web", "v2");
    let of_shape = definition(
        "shape.json",
        &TaskDefinition::new(&stage.role).container("web", &image, Some(&shape)),
    )?;
    let of_tag = definition(
        "tag.json",
        &TaskDefinition::new(&stage.role).container("web", &missing_tag, Some(&stage.secret)),
    )?;
    let of_role = definition(
        "role.json",
        &TaskDefinition::new("").container("web", &image, Some(&stage.secret)),
    )?;
    let of_image = definition(
        "image.json",
        &TaskDefinition::new("").container("web", "UPPER CASE", None),
    )?;
    let (malformed, other, absent) = (path("malformed.json"), path("other.json"), path("absent.json"));
    let (config_of_type, config_of_data) = (path("type.config"), path("data.config"));
    let socket = format!("unix://{}", path("absent.sock"));

    let mistake = |name, arguments: &[&'static str], file| Mistake {
        name,
        arguments: [arguments, &["pull", "--file", file]].concat(),
        config_file: "ecs.config",
        code: 0,
        names: Vec::new(),
    };
    let mistakes = [
        Mistake {
            code: 3,
            names: vec![&absent],
            ..mistake("a missing task definition", &[], &absent)
        },
        Mistake {
            code: 3,
            names: vec![&malformed, "3"],
            ..mistake("a malformed task definition", &[], &malformed)
        },
        Mistake {
            code: 3,
            names: vec![&other],
            ..mistake("no task definition at all", &[], &other)
        },
        Mistake {
            code: 3,
            names: vec!["web"],
            ..mistake("an image that is none", &[], &of_image)
        },
        Mistake {
            arguments: vec!["pull", "--file", &task, "--container", "wbe"],
            code: 2,
            names: vec!["wbe", "web"],
            ..mistake("an unknown container", &[], &task)
        },
        Mistake {
            config_file: "type.config",
            code: 3,
            names: vec![&config_of_type, ":2", "dockercfg"],
            ..mistake("an unknown auth type", &[], &task)
        },
        Mistake {
            config_file: "data.config",
            arguments: vec!["pull", &image],
            code: 3,
            names: vec![&config_of_data, ":2"],
            ..mistake("malformed auth data", &[], &task)
        },
        Mistake {
            config_file: "absent.config",
            code: 3,
            names: vec!["absent.config"],
            ..mistake("a missing configuration", &[], &task)
        },
        Mistake {
            code: 4,
            names: vec![&shape, "ResourceInitializationError", "username"],
            ..mistake("a secret of the wrong shape", &[], &of_shape)
        },
        Mistake {
            code: 4,
            names: vec!["CannotPullContainerAuthError", "executionRoleArn"],
            ..mistake("no execution role", &[], &of_role)
        },
        Mistake {
            code: 6,
            names: vec![&registry, "team/web", "\"v2\"", "CannotPullContainerError"],
            ..mistake("a missing tag", &[], &of_tag)
        },
        Mistake {
            arguments: vec![
                "--docker-host",
                &socket,
                "pull",
                "--file",
                &task,
                "--container",
                "sidecar",
            ],
            code: 7,
            names: vec!["absent.sock", "CannotGetDockerclientError"],
            ..mistake("an unreachable engine", &[], &task)
        },
    ];

    for Mistake {
        name,
        arguments,
        config_file,
        code,
        names,
    } in mistakes
    {
        let output = stage.ecs_pull_with(config_file, &arguments)?.run().await?;
        let shown = format!("{name}: exit code {}\n{}", output.code, output.stderr);
        assert_eq!(output.code, code, "{shown}");
        assert_eq!(output.stdout, "", "{shown}");
        let errors = output
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "))
            .count();
        assert_eq!(errors, 1, "one message: {shown}");
        assert!(output.stderr.contains("\n  next:  "), "a next step: {shown}");
        for text in names {
            assert!(output.stderr.contains(text), "{text:?} was to be named: {shown}");
        }
        for noise in [
            "service error",
            "dispatch failure",
            "DispatchFailure",
            "panicked",
            "Some(",
        ] {
            assert!(
                !output.stderr.contains(noise),
                "{noise:?} tells nobody anything: {shown}"
            );
        }
    }
    assert_eq!(
        stage.engine.images().await?,
        Vec::<String>::new(),
        "nothing was pulled"
    );
    Ok(())
}

#[tokio::test]
async fn a_failure_is_one_json_document_too() -> Result<()> {
    let stage = Stage::start().await?;
    let absent = stage.path("absent.json").display().to_string();
    let output = stage
        .ecs_pull(&["--output", "json", "pull", "--file", &absent])?
        .run()
        .await?;
    assert_eq!(output.code, 3);
    let document = output.json()?;
    assert_eq!(document["ok"], false);
    assert!(document.to_string().contains(&absent), "{document}");
    Ok(())
}

#[tokio::test]
async fn an_unreachable_aws_is_a_credential_failure_that_names_the_endpoint() -> Result<()> {
    let stage = Stage::start().await?;
    let closed = ClosedPort::take()?;
    let port = closed.number()?;
    let endpoint = format!("http://127.0.0.1:{port}");
    let run = stage.pull(&stage.task_definition(), &["--container", "web"])?;
    let output = run.envs([("AWS_ENDPOINT_URL", &endpoint)]).run().await?;
    assert_eq!(output.code, 4, "{}", output.stderr);
    assert_eq!(
        output.container("web")?["error"]["name"],
        "ResourceInitializationError"
    );
    assert!(
        output.stderr.contains(&format!("127.0.0.1:{port}")),
        "{}",
        output.stderr
    );
    assert!(!output.stderr.contains("dispatch failure"), "{}", output.stderr);
    Ok(())
}

#[tokio::test]
async fn two_identities_at_once_are_a_mistake_of_usage() -> Result<()> {
    let role = ["--execution-role-arn", "arn:aws:iam::111111111111:role/app"];
    for other in [&["--caller-credentials"][..], &["--execution-credentials", "-"]] {
        let run = EcsPull::new(["pull", "registry.example.com/team/web:v1"])?;
        let output = run.args(role).args(other).run().await?;
        assert_eq!(output.code, 2, "{}", output.stderr);
        for option in [role[0], other[0]] {
            assert!(output.stderr.contains(option), "{option}: {}", output.stderr);
        }
    }
    Ok(())
}
