//! `ecs-pull policy`

use std::io::Write;

use ecs_pull::ExitCode;
use ecs_secret_resolver::policy::SecretKey;

use super::args::{Output, PolicyArguments};
use super::failure::Failure;
use super::{Context, print, render, setup::Setup};

pub(crate) async fn run(context: &Context, arguments: &PolicyArguments) -> Result<ExitCode, Failure> {
    let setup = Setup::read(context, &arguments.images).await?;
    let key = arguments
        .kms_key
        .as_deref()
        .map_or(SecretKey::Unknown, |key| SecretKey::from_kms_key_id(Some(key)));
    let advice = setup.client.policy(&setup.task, &key).map_err(|error| {
        Failure::all(
            error.class().into(),
            [(error.to_string(), error.next_step().map(str::to_owned))],
        )
    })?;
    match context.global.output {
        Output::Text => print(advice.to_string().as_bytes())?,
        Output::Json => {
            let mut stderr = std::io::stderr().lock();
            for note in &advice.notes {
                // A note that nobody can read is no reason to stop.
                let _ = writeln!(stderr, "note: {note}");
            }
            print(&render::json(&advice.role)?)?
        }
    };
    Ok(if advice.is_complete() {
        ExitCode::Success
    } else {
        ExitCode::Configuration
    })
}
