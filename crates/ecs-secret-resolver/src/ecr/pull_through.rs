//! Repositories that look like a pull-through cache.

/// The namespaces that pull-through cache rules usually have, and the registry behind each.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-working.html>.
const NAMESPACES: [(&str, &str); 10] = [
    ("chainguard", "Chainguard"),
    ("docker-hub", "Docker Hub"),
    ("ecr-public", "Amazon ECR Public"),
    ("ghcr", "GitHub"),
    ("github", "GitHub"),
    ("gitlab", "GitLab"),
    ("k8s", "Kubernetes"),
    ("kubernetes", "Kubernetes"),
    ("mcr", "Microsoft"),
    ("quay", "Quay"),
];

/// What a first pull through a cache needs beside the permissions to pull.
///
/// Rule: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html>.
pub(crate) const ACTIONS: [&str; 2] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

/// A sentence about a repository (its path within its registry) that may be filled by a pull-through cache rule, for
/// whoever was refused; `None` for repositories that do not look like one.
///
/// ```
/// use ecs_secret_resolver::pull_through_cache_hint;
///
/// let hint = pull_through_cache_hint("docker-hub/library/nginx").unwrap_or_default();
/// assert!(hint.contains("ecr:BatchImportUpstreamImage") && hint.contains("ecr:CreateRepository"));
/// assert_eq!(pull_through_cache_hint("team/app"), None);
/// ```
#[must_use]
pub fn pull_through_cache_hint(repository: &str) -> Option<String> {
    let (namespace, _) = repository.split_once('/')?;
    let (_, upstream) = NAMESPACES.iter().find(|(known, _)| *known == namespace)?;
    Some(format!(
        "if {namespace:?} is a pull-through cache rule for {upstream}, the first pull of an image also needs {} on the \
         repository",
        ACTIONS.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::pull_through_cache_hint;

    #[test]
    fn only_a_whole_first_component_is_a_namespace() {
        for (repository, hinted) in [
            ("docker-hub/library/nginx", true),
            ("ecr-public/docker/library/nginx", true),
            ("quay/prometheus/prometheus", true),
            ("k8s/pause", true),
            ("ghcr/owner/app", true),
            ("quay", false),
            ("quayside/app", false),
            ("team/quay/app", false),
        ] {
            assert_eq!(
                pull_through_cache_hint(repository).is_some(),
                hinted,
                "{repository}"
            );
        }
    }
}
