//! Pulls the images of a task definition: `cargo run --example pull -- task-definition.json`
//!
//! The configuration comes from the environment and `/etc/ecs/ecs.config`, AWS credentials from where the AWS SDKs
//! look, and the secrets are read with the task's execution role.

#![expect(clippy::print_stdout, reason = "a program may print")]

use ecs_pull::config_loader::{Environment, Loader};
use ecs_pull::image_puller::Silent;
use ecs_pull::registry_auth::Origin;
use ecs_pull::{Client, Task, task_images};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a task definition")?;
    let definition = std::fs::read_to_string(&path)?;
    let task = Task::from(task_images::parse(&definition, &Origin::file(path))?);

    let config = Loader::new(Environment::process()).load().await?;
    let report = Client::builder(config).build().pull(&task, &Silent).await;

    for container in &report.containers {
        println!("{} {} {:?}", container.status, container.image, container.digest);
        if let Some(error) = &container.error {
            println!("  {}: {error}: {:?}", error.name(), error.next_step());
        }
    }
    if report.ok {
        Ok(())
    } else {
        Err("not every image could be pulled".into())
    }
}
