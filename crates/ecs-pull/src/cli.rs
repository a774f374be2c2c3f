//! The command line: arguments in, results on stdout, progress and diagnosis on stderr.

use std::io::{self, Write};
use std::process;

use clap::{CommandFactory, Parser};
use ecs_config_loader::Environment;
use ecs_pull::{ExitCode, KnownSecrets};

use args::{Arguments, Command, Global};
use failure::Failure;

mod args;
mod config;
mod explain;
mod failure;
mod input;
mod logging;
mod policy;
mod progress;
mod pull;
mod render;
mod setup;
mod state;

/// Runs the command line of this process.
pub(crate) fn main() -> process::ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are "errors" for clap, but go to stdout and are none for the caller.
        Err(error) => {
            let _ = error.print();
            let code = if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Success
            };
            return process::ExitCode::from(code.code());
        }
    };
    let output = arguments.global.output;
    let code = match run(arguments) {
        Ok(code) => code,
        Err(failure) => {
            failure.report(output);
            failure.code()
        }
    };
    process::ExitCode::from(code.code())
}

fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Pull(arguments) => {
            with_context(
                global,
                |context| async move { pull::pull(&context, &arguments).await },
            )
        }
        Command::Check(arguments) => with_context(global, |context| async move {
            pull::check(&context, &arguments).await
        }),
        Command::Explain(images) => {
            with_context(
                global,
                |context| async move { explain::run(&context, &images).await },
            )
        }
        Command::Policy(policy) => {
            with_context(
                global,
                |context| async move { policy::run(&context, &policy).await },
            )
        }
        Command::Config(command) => {
            with_context(
                global,
                |context| async move { config::run(&context, command).await },
            )
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "ecs-pull", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut page)
                .map_err(|error| Failure::new(ExitCode::Other, error.to_string(), "report this as a bug"))?;
            print(&page)
        }
    }
}

/// What every command that does something works in.
struct Context {
    global: Global,
    environment: Environment,
    known: KnownSecrets,
}

fn with_context<F: Future<Output = Result<ExitCode, Failure>>>(
    global: Global,
    command: impl FnOnce(Context) -> F,
) -> Result<ExitCode, Failure> {
    let environment = Environment::process();
    let known = KnownSecrets::default();
    logging::start(&global, &environment, &known);
    block_on(command(Context {
        global,
        environment,
        known,
    }))
}

/// Runs a command until it is done or the user interrupts it. Dropping the command's future stops what it does.
fn block_on(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    // One thread is enough: the work is done by the engine, and a small process starts faster.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                ExitCode::Other,
                format!("cannot start: {error}"),
                "check the limits of this process",
            )
        })?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = command => outcome,
            () = interrupted() => Err(Failure::new(
                ExitCode::Interrupted,
                "interrupted; what was being pulled has been stopped",
                "run the same command again: layers that are complete are not downloaded twice",
            )),
        }
    });
    // Dropping it would wait for threads that wait themselves: for standard input, a dead name server, a lock.
    runtime.shutdown_background();
    outcome
}

/// Resolves on SIGINT, SIGTERM or SIGHUP (Ctrl-C elsewhere).
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let wait = |kind| async move {
            match signal(kind) {
                Ok(mut signal) => {
                    signal.recv().await;
                }
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait(SignalKind::interrupt()) => {}
            () = wait(SignalKind::terminate()) => {}
            () = wait(SignalKind::hangup()) => {}
        }
    }
    #[cfg(not(unix))]
    {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Writes to stdout. A reader that has gone away (`| head`) ends the command quietly.
fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ExitCode::Success),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::Success),
        Err(error) => Err(Failure::new(
            ExitCode::Other,
            format!("stdout: {error}"),
            "check where the output goes",
        )),
    }
}
