//! The command line as it is typed, before anything is read or validated.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ecs_image_puller::Platform;

/// Pull private container images the way Amazon ECS does, and see why when it does not work.
#[derive(Debug, Parser)]
#[command(name = "ecs-pull", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  ecs-pull pull -f task-definition.json
      Pull every image of a task definition with the credentials that ECS would use.
  ecs-pull pull registry.example.com/team/app:v1
      Pull one image with the credential that ECS_ENGINE_AUTH_DATA has for its registry.

Exit codes:
  0 all done                          5 the registry refused the credential
  1 anything else                     6 image, tag or platform not found
  2 usage                             7 engine unreachable
  3 configuration invalid             8 timed out
  4 a credential could not be         9 rate limited
    obtained                        130 interrupted
Several containers failing: the smallest of their codes that is not 1.";

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The agent's env-file [default: /etc/ecs/ecs.config if it exists]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config_file: Option<PathBuf>,

    /// AWS region of the task [default: AWS_DEFAULT_REGION, AWS_REGION, the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// Profile of the shared AWS configuration to act as
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Docker Engine to use [default: DOCKER_HOST, else unix:///var/run/docker.sock]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) docker_host: Option<String>,

    /// Results for people, or one JSON document on stdout
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) output: Output,

    /// How to show progress on stderr
    #[arg(long, global = true, value_name = "STYLE", value_enum, default_value_t)]
    pub(crate) progress: Progress,

    /// Make every warning about the configuration an error
    #[arg(long, global = true)]
    pub(crate) strict: bool,

    /// Say more on stderr; twice for the details of each request (RUST_LOG overrides)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Log lines for people, or one JSON object a line
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Lines for people
    #[default]
    Text,
    /// Exactly one JSON document
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// Bars on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// A bar per layer
    Bar,
    /// A line per phase
    Plain,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Pull every container's image
    #[command(after_help = PULL_EXAMPLES)]
    Pull(Images),
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell to print for
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    #[command(after_help = "Example:\n  ecs-pull man | man -l -")]
    Man,
}

const PULL_EXAMPLES: &str = "\
Examples:
  ecs-pull pull -f task-definition.json
      Every container of the task, each with its own credential.
  aws ecs describe-task-definition --task-definition web | ecs-pull pull -f - --container app
      One container of a registered task definition.
  ecs-pull pull registry.example.com/team/app:v1 \\
      --repository-credentials arn:aws:secretsmanager:eu-west-1:111111111111:secret:registry-AbCdEf \\
      --execution-role-arn arn:aws:iam::111111111111:role/ecsTaskExecutionRole
      One image with a secret, read with the rights of that role.
  ecs-pull --output json pull -f task-definition.json | jq '.containers[] | {container, digest}'";

const COMPLETIONS_EXAMPLES: &str = "\
Example:
  ecs-pull completions bash > /etc/bash_completion.d/ecs-pull";

/// Which images, and with whose rights.
#[derive(Debug, Args)]
pub(crate) struct Images {
    #[command(flatten)]
    pub(crate) what: What,
    #[command(flatten)]
    pub(crate) who: Who,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing what")]
pub(crate) struct What {
    /// Images, as a task definition would name them
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "file",
        conflicts_with = "file"
    )]
    pub(crate) images: Vec<String>,

    /// A task definition, or the control plane's payload for a task; `-` reads stdin
    #[arg(short, long, alias = "task-definition", value_name = "FILE|-")]
    pub(crate) file: Option<PathBuf>,

    /// Only these containers of the file
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "file")]
    pub(crate) container: Vec<String>,

    /// The secret that `repositoryCredentials` would name for these images
    #[arg(long, value_name = "ARN|NAME", conflicts_with = "file")]
    pub(crate) repository_credentials: Option<String>,

    /// Platform to pull, such as linux/arm64/v8 [default: the task's, else the engine's]
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing who")]
pub(crate) struct Who {
    /// Role whose rights fetch the secrets [default: the document's executionRoleArn]
    #[arg(long, value_name = "ARN")]
    pub(crate) execution_role_arn: Option<String>,

    /// External id to show when the role is assumed
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,

    /// Ready keys of the execution role, as the control plane sends them (JSON); `-` reads stdin
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["external_id", "caller_credentials"])]
    pub(crate) execution_credentials: Option<PathBuf>,

    /// Fetch secrets with the caller's own rights instead of assuming the execution role
    #[arg(long, conflicts_with = "external_id")]
    pub(crate) caller_credentials: bool,
}
