//! A guided tour of `ecs-pull` on real parts: `integration/try` runs it.
//!
//! With `--parts` it starts and seeds the parts, prints the environment that leads to them, and keeps them until it is interrupted.

#![expect(clippy::print_stdout, reason = "a tour is there to be read")]

use std::fs;
use std::io::IsTerminal;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use integration::{Stage, program};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        None => tour().await?,
        Some("--parts") => parts().await?,
        Some(other) => {
            println!("unknown argument {other}: there is only --parts");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn parts() -> Result<()> {
    let stage = Stage::start().await?;
    for (name, value) in stage.environment() {
        println!("export {name}={value}");
    }
    println!("# Now, in another shell with the lines above:");
    println!("# {}", command_line(&stage, &["pull"]));
    println!("# Ctrl-C here ends the parts.");
    tokio::signal::ctrl_c().await?;
    Ok(())
}

async fn tour() -> Result<()> {
    let page = Page::new();
    page.heading("1. The real parts start, each on loopback and in a directory of its own");
    let mut stage = Stage::start().await?;
    page.item("a Docker Engine", stage.engine.host());
    page.item("a private registry", &stage.private.host());
    page.item("a public registry", &stage.public.host());
    page.item(
        "AWS (moto, signatures and permissions checked)",
        stage.aws.endpoint(),
    );

    page.heading("2. They are seeded");
    page.item("account 222222222222 owns a KMS key", &stage.key);
    page.item(
        "... and under it the secret of alice's registry login",
        &stage.secret,
    );
    page.item(
        "... and an execution role that may secretsmanager:GetSecretValue and kms:Decrypt",
        &stage.role,
    );
    page.item(
        "the task runs elsewhere, as",
        &format!(
            "arn:aws:iam::111111111111:user/operator in {}",
            Stage::TASK_REGION
        ),
    );
    page.item(
        "the private registry knows alice and bob, and lets nobody else in; it holds",
        "team/web:v1, team/worker:v1",
    );

    page.heading("3. A task definition with three containers, as ECS has it");
    page.text(
        "\"web\" names alice's secret, \"worker\" has no credential of its own, \"sidecar\" is public.",
    );
    page.file(&stage.path("task-definition.json"))?;

    page.heading("4. The container instance's ecs.config, with bob's credential for the private registry");
    page.file(&stage.path("ecs.config"))?;

    page.heading("5. ecs-pull brings it together");
    page.text("web: alice's secret, with the execution role, from the region and account of its ARN. worker: bob. sidecar: nobody.");
    page.run(&stage, &["pull"], 0)?;

    page.heading("6. What the engine holds now");
    for image in stage.engine.images().await? {
        page.text(&image);
    }

    page.heading("7. Alice's password changes in the registry, but not in the secret");
    page.text("One attempt, no anonymous second try, the cause with its place, and exit code 5. The others are pulled.");
    page.text("(The engine forgets the image first: a cached one would be used instead, as ECS does.)");
    stage.private.set_password("alice", "rotated")?;
    stage
        .engine
        .remove(&stage.private.image("team/web", "v1"))
        .await?;
    page.run(&stage, &["pull"], 5)?;

    page.heading("8. The same for a program: one JSON document on standard output");
    page.run(&stage, &["--output", "json", "pull", "--container", "worker"], 0)?;

    page.heading("9. Everything is torn down");
    drop(stage);
    page.text("Engine, registries and AWS have ended, their directories are gone.");
    Ok(())
}

/// The command as one would type it, with the arguments that every run of the tour has.
fn arguments(stage: &Stage, of_run: &[&str]) -> Vec<String> {
    let mut all = vec![
        "--config-file".to_owned(),
        stage.path("ecs.config").display().to_string(),
    ];
    all.extend(of_run.iter().map(|argument| (*argument).to_owned()));
    all.extend([
        "--file".to_owned(),
        stage.path("task-definition.json").display().to_string(),
    ]);
    all
}

fn command_line(stage: &Stage, of_run: &[&str]) -> String {
    format!("ecs-pull {}", arguments(stage, of_run).join(" "))
}

/// What the reader sees: coloured on a terminal, plain elsewhere.
struct Page {
    coloured: bool,
}

impl Page {
    fn new() -> Self {
        Self {
            coloured: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    fn paint(&self, code: u8, text: &str) -> String {
        if self.coloured {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn heading(&self, text: &str) {
        println!("\n{}\n", self.paint(1, &format!("== {text}")));
    }

    fn text(&self, text: &str) {
        println!("   {text}");
    }

    fn item(&self, name: &str, value: &str) {
        println!("   {name}: {}", self.paint(36, value));
    }

    fn file(&self, path: &std::path::Path) -> Result<()> {
        println!("   {}", self.paint(36, &path.display().to_string()));
        for line in fs::read_to_string(path)?.lines() {
            println!("     {line}");
        }
        Ok(())
    }

    /// Shows a command, runs it with its output going where the tour's goes, and holds it to its exit code.
    fn run(&self, stage: &Stage, of_run: &[&str], expected: i32) -> Result<()> {
        for (name, value) in stage.environment() {
            // Where it is and who asks; the keys are noise to a reader.
            if ["DOCKER_HOST", "AWS_ENDPOINT_URL", "AWS_REGION"].contains(&name) {
                println!("   $ export {name}={value}");
            }
        }
        println!(
            "   {}\n",
            self.paint(1, &format!("$ {}", command_line(stage, of_run)))
        );
        let status = Command::new(program()?)
            .args(arguments(stage, of_run))
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "TERM" || name == "NO_COLOR"))
            .envs(stage.environment())
            .status()?;
        println!("\n   exit code {}", status.code().unwrap_or(-1));
        ensure!(
            status.code() == Some(expected),
            "{expected} was to be the exit code"
        );
        Ok(())
    }
}
