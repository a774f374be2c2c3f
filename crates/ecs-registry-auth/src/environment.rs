//! Variables of the environment that are secrets.

/// The variables that carry credentials of registries: no process that is started gets them.
///
/// Rules: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>,
/// <https://docs.docker.com/reference/cli/docker/login/>.
pub const SECRET_VARIABLES: [&str; 3] = [
    "ECS_ENGINE_AUTH_DATA",
    "ECS_ENGINE_AUTH_DATA_KMS",
    "DOCKER_AUTH_CONFIG",
];
