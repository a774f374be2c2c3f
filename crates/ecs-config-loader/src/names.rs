//! The names of the settings that are read.

/// Type of the auth data.
pub(crate) const AUTH_TYPE: &str = "ECS_ENGINE_AUTH_TYPE";
/// The auth data.
pub(crate) const AUTH_DATA: &str = "ECS_ENGINE_AUTH_DATA";
/// The auth data, encrypted. Ours.
pub(crate) const AUTH_DATA_KMS: &str = "ECS_ENGINE_AUTH_DATA_KMS";
/// ARN of the key that it was encrypted with. Ours.
pub(crate) const AUTH_KMS_KEY: &str = "ECS_ENGINE_AUTH_KMS_KEY";
/// Whether Docker's own configuration is a source. Ours.
pub(crate) const AUTH_DOCKER_CONFIG: &str = "ECS_ENGINE_AUTH_DOCKER_CONFIG";
pub(crate) const PULL_BEHAVIOR: &str = "ECS_IMAGE_PULL_BEHAVIOR";
/// The agent trusts whatever the engine has. Ours.
pub(crate) const PULL_CACHED_IMAGES: &str = "ECS_IMAGE_PULL_CACHED_IMAGES";
pub(crate) const PULL_TIMEOUT: &str = "ECS_IMAGE_PULL_TIMEOUT";
pub(crate) const PULL_INACTIVITY_TIMEOUT: &str = "ECS_IMAGE_PULL_INACTIVITY_TIMEOUT";
pub(crate) const MANIFEST_PULL_TIMEOUT: &str = "ECS_MANIFEST_PULL_TIMEOUT";
/// The agent has a fixed value. Ours.
pub(crate) const PULL_BEGIN_TIMEOUT: &str = "ECS_IMAGE_PULL_BEGIN_TIMEOUT";
pub(crate) const DOCKER_HOST: &str = "DOCKER_HOST";
pub(crate) const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
pub(crate) const REGION: &str = "AWS_REGION";
pub(crate) const EXTERNAL: &str = "ECS_EXTERNAL";
pub(crate) const ALTERNATE_CREDENTIAL_PROFILE: &str = "ECS_ALTERNATE_CREDENTIAL_PROFILE";
pub(crate) const DATA_DIR: &str = "ECS_DATADIR";
pub(crate) const JSON_FILE: &str = "ECS_AGENT_CONFIG_FILE_PATH";

/// In bytes; the longest setting has 33.
const LONGEST_COMPARED: usize = 64;

const ALL: [&str; 18] = [
    AUTH_TYPE,
    AUTH_DATA,
    AUTH_DATA_KMS,
    AUTH_KMS_KEY,
    AUTH_DOCKER_CONFIG,
    PULL_BEHAVIOR,
    PULL_CACHED_IMAGES,
    PULL_TIMEOUT,
    PULL_INACTIVITY_TIMEOUT,
    MANIFEST_PULL_TIMEOUT,
    PULL_BEGIN_TIMEOUT,
    DOCKER_HOST,
    DEFAULT_REGION,
    REGION,
    EXTERNAL,
    ALTERNATE_CREDENTIAL_PROFILE,
    DATA_DIR,
    JSON_FILE,
];

pub(crate) fn is_known(name: &str) -> bool {
    ALL.contains(&name)
}

/// Whether the name belongs to the settings of this project and is none of them: `Some` with the likely one meant.
pub(crate) fn mistaken(name: &str) -> Option<Option<&'static str>> {
    // A known name with a space at its end is told apart elsewhere.
    if is_known(name.trim()) {
        return None;
    }
    let upper = name.trim().to_ascii_uppercase();
    // Far from every name that there is: the time it takes to compare grows with the length, which nothing limits.
    if upper.len() > LONGEST_COMPARED {
        return is_ours(&upper).then_some(None);
    }
    let (distance, likely) = ALL
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&upper, known), known))
        .min()?;
    let is_ours = is_ours(&upper);
    match distance {
        // One or two slips of the pen, wherever they are. Longer names only: the agent has short ones of its own.
        1..=2 if upper.starts_with("ECS_") && upper.len() > 16 => Some(Some(likely)),
        0..=6 if is_ours => Some(Some(likely)),
        _ if is_ours => Some(None),
        _ => None,
    }
}

/// Whether a name that is none of the settings is one that nobody else has.
fn is_ours(upper: &str) -> bool {
    ["ECS_ENGINE_AUTH", "ECS_ENGINEAUTH", "ECS_IMAGE_PULL_"]
        .iter()
        .any(|prefix| upper.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_name_is_found_with_the_one_meant() {
        for (name, meant) in [
            ("ECS_ENGINE_AUTH_TYP", Some(AUTH_TYPE)),
            ("ECS_ENGINE_AUTH_DATE", Some(AUTH_DATA)),
            ("ECS_ENGINE_AUTHDATA", Some(AUTH_DATA)),
            ("ECS_ENGINE_AUHT_DATA", Some(AUTH_DATA)),
            ("ECS_MANIFEST_PULL_TIMOUT", Some(MANIFEST_PULL_TIMEOUT)),
            ("ECS_ENGINEAUTH_DATA", Some(AUTH_DATA)),
            ("ecs_engine_auth_data", Some(AUTH_DATA)),
            ("ECS_IMAGE_PULL_BEHAVIOUR", Some(PULL_BEHAVIOR)),
            ("ECS_IMAGE_PULL_CACHED_IMAGE", Some(PULL_CACHED_IMAGES)),
            ("ECS_ENGINE_AUTH_SOMETHING_ELSE_ENTIRELY", None),
        ] {
            assert_eq!(mistaken(name), Some(meant), "{name}");
        }
    }

    #[test]
    fn a_name_of_any_length_is_judged_at_once() {
        for (start, expected) in [("ECS_ENGINE_AUTH_", Some(None)), ("ECS_ENGINE_", None)] {
            let name = format!("{start}{}", "X".repeat(16 * 1024 * 1024));
            let started = std::time::Instant::now();
            assert_eq!(mistaken(&name), expected);
            // Comparing it with one setting alone would take longer.
            assert!(started.elapsed() < std::time::Duration::from_secs(2));
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in ALL {
            assert_eq!(mistaken(name), None, "{name}");
        }
        for name in [
            "ECS_CLUSTER",
            "PATH",
            "aws_region",
            "ECS_ENGINE_AUTH_TYPE ",
            "ECS_IMAGE_CLEANUP_INTERVAL",
            "ECS_IMAGE_MINIMUM_CLEANUP_AGE",
        ] {
            assert_eq!(mistaken(name), None, "{name}");
        }
    }
}
