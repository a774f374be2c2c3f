//! The command line as it is typed, before anything is read or validated.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ecs_config_loader::AuthType;
use ecs_image_puller::{Behavior, Platform};

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

    /// Also use Docker's own logins: its config.json where Docker looks for it, or at PATH
    #[arg(long, global = true, value_name = "PATH", num_args = 0..=1, require_equals = true, default_missing_value = "",
        value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub(crate) docker_config: Option<PathBuf>,

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
    Pull(PullArguments),
    /// Do the same up to the manifest, and download no layer: "can my task pull this?"
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArguments),
    /// Say which credential each image would get, every candidate, and why each was not chosen; asks nobody
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Images),
    /// Print the least policy that the execution role needs for these images; asks nobody
    #[command(after_help = POLICY_EXAMPLES)]
    Policy(PolicyArguments),
    /// Show, check or write the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
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
  ecs-pull pull -f task-definition.json --pull-behavior prefer-cached
      The same without a download where the engine has the image and the registry shows it to that credential.
  ecs-pull pull -f task-definition.json --rotation-stages
      The same while a rotation of the secret is under way: whichever of its versions the registry takes.
  ecs-pull --output json pull -f task-definition.json | jq '.containers[] | {container, digest}'";

const CHECK_EXAMPLES: &str = "\
Examples:
  ecs-pull check -f task-definition.json
      Secret, credential, registry login, digest and platform of every container.
  ecs-pull check -f task-definition.json --platform linux/arm64
      The same for another platform than the task's.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  ecs-pull explain registry.example.com/team/app:v1
      Every key of ECS_ENGINE_AUTH_DATA, and why it is used or not.
  ecs-pull explain -f task-definition.json --output json | jq '.images[].credential'";

const POLICY_EXAMPLES: &str = "\
Examples:
  ecs-pull policy -f task-definition.json
      What the execution role needs, and what the owners of secrets in other accounts must allow.
  ecs-pull policy -f task-definition.json --output json > policy.json
      The policy document alone, for `aws iam put-role-policy --policy-document file://policy.json`.
  ecs-pull policy -f task-definition.json \\
      --kms-key arn:aws:kms:eu-west-1:222222222222:key/11111111-2222-3333-4444-555555555555
      The same for secrets that are encrypted with that customer-managed key.";

const CONFIG_SHOW_EXAMPLES: &str = "\
Example:
  ecs-pull config show --config-file ./ecs.config";

const CONFIG_CHECK_EXAMPLES: &str = "\
Examples:
  ecs-pull config check
      Exit code 3 when anything makes the configuration unusable, 4 when only KMS does not decrypt it.
  ecs-pull --strict config check --config-file ./ecs.config
      Exit code 3 for any finding at all.";

const CONFIG_IMPORT_EXAMPLES: &str = "\
Examples:
  ecs-pull config import
      Print the lines for the logins of the Docker configuration of this user.
  sudo ecs-pull config import ~/.docker/config.json --write
      Put them into /etc/ecs/ecs.config (mode 0600) and keep its other lines.
  ecs-pull config import --write --kms-key alias/ecs-engine-auth
      The same, encrypted: ECS_ENGINE_AUTH_DATA_KMS instead of plain text.";

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
    #[arg(long, value_name = "NAME", num_args = 1.., requires = "file", conflicts_with = "images")]
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
    #[arg(long, value_name = "FILE|-", conflicts_with_all = ["execution_role_arn", "external_id", "caller_credentials"])]
    pub(crate) execution_credentials: Option<PathBuf>,

    /// Fetch secrets with the caller's own rights instead of assuming the execution role
    #[arg(long, conflicts_with_all = ["execution_role_arn", "external_id"])]
    pub(crate) caller_credentials: bool,

    /// Fetch a token for images at public.ecr.aws, for its higher quota, where they would be pulled anonymously
    #[arg(long)]
    pub(crate) ecr_public_token: bool,
}

/// What to pull, and when an image that the engine has will do.
#[derive(Debug, Args)]
pub(crate) struct PullArguments {
    #[command(flatten)]
    pub(crate) images: Images,

    /// When an image that the engine has will do, for this call [default: ECS_IMAGE_PULL_BEHAVIOR]
    #[arg(
        long,
        value_name = "BEHAVIOR",
        value_parser = pull_behavior(),
        help_heading = "Choosing how"
    )]
    pub(crate) pull_behavior: Option<Behavior>,

    #[command(flatten)]
    pub(crate) refusal: Refusal,
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    #[command(flatten)]
    pub(crate) images: Images,
    #[command(flatten)]
    pub(crate) refusal: Refusal,
}

/// What to do when a registry refuses a credential.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choosing how")]
pub(crate) struct Refusal {
    /// When the registry refuses a secret's current version, also try AWSPENDING and then AWSPREVIOUS: while a secret
    /// is rotated, the registry may be ahead of it or behind; the result says which one worked
    #[arg(long)]
    pub(crate) rotation_stages: bool,
}

/// What to print a policy for.
#[derive(Debug, Args)]
pub(crate) struct PolicyArguments {
    #[command(flatten)]
    pub(crate) images: Images,

    /// Key that encrypts the secrets: the ARN of a customer-managed key, or `aws/secretsmanager`
    #[arg(long, value_name = "ARN")]
    pub(crate) kms_key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the effective configuration and where each value was set; secrets are redacted
    #[command(after_help = CONFIG_SHOW_EXAMPLES)]
    Show,
    /// Say what is wrong with the configuration
    #[command(after_help = CONFIG_CHECK_EXAMPLES)]
    Check,
    /// Turn Docker's config.json, also one with credential helpers, into ECS_ENGINE_AUTH_* lines
    #[command(after_help = CONFIG_IMPORT_EXAMPLES)]
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Docker's config.json [default: where Docker looks for it]
    pub(crate) file: Option<PathBuf>,

    /// Type of the auth data [default: dockercfg, unless there are tokens that need docker]
    #[arg(long = "type", value_name = "TYPE", value_parser = auth_type)]
    pub(crate) auth_type: Option<AuthType>,

    /// Write into the env-file (--config-file, else /etc/ecs/ecs.config) instead of printing
    #[arg(long)]
    pub(crate) write: bool,

    /// Encrypt with this KMS key: its id, ARN or alias
    #[arg(long, value_name = "KEY")]
    pub(crate) kms_key: Option<String>,
}

/// The names are listed in the help and completed by shells.
fn pull_behavior() -> impl TypedValueParser<Value = Behavior> {
    let all = [
        Behavior::Default,
        Behavior::Always,
        Behavior::Once,
        Behavior::PreferCached,
    ];
    PossibleValuesParser::new(all.map(Behavior::as_str)).try_map(|written| written.parse::<Behavior>())
}

fn auth_type(written: &str) -> Result<AuthType, String> {
    [AuthType::Docker, AuthType::Dockercfg]
        .into_iter()
        .find(|auth_type| auth_type.as_str() == written)
        .ok_or_else(|| "write docker or dockercfg".to_owned())
}
