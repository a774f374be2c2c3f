//! Images at Amazon ECR.

use std::collections::BTreeMap;

use super::gather::{Gathered, Users};
use super::input::Need;
use super::{OwnedResource, PolicyInput, Principal, Statement};
use crate::ecr::PULL_THROUGH_ACTIONS;
use crate::{EcrRegistry, is_ecr_public, pull_through_cache_hint};

/// What an engine needs to pull: manifests and the places of layers.
///
/// Rule: <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonEC2ContainerRegistryPullOnly.html>.
const PULL: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

#[derive(Default)]
struct Repository {
    account: String,
    users: Users,
}

pub(super) fn gather(inputs: &[PolicyInput], gathered: &mut Gathered) {
    let mut repositories: BTreeMap<String, Repository> = BTreeMap::new();
    let mut public = Users::default();
    for input in inputs {
        let Need::Image {
            image,
            ecr_public_token,
            token_of_instance,
        } = &input.need
        else {
            continue;
        };
        let role = gathered.role(input);
        if is_ecr_public(image.registry()) && *ecr_public_token {
            public.add(&input.container, role.as_ref());
        }
        let Some(registry) = EcrRegistry::from_host(image.registry()) else {
            continue;
        };
        let arn = registry.repository_arn(image.repository());
        if *token_of_instance {
            let [login, pull] = [login(), pull([&arn])];
            gathered.hint(
                &input.container,
                format!(
                    "the container instance fetches the token for this image, so that its role needs this, and not the \
                     execution role: {login}, {pull}"
                ),
            );
            continue;
        }
        if let Some(hint) = pull_through_cache_hint(image.repository()) {
            let statement = Statement::allow("EcrPullThroughCache", PULL_THROUGH_ACTIONS).on([&arn]);
            gathered.hint(&input.container, format!("{hint}: {statement}"));
        }
        let repository = repositories.entry(arn).or_default();
        repository.account = registry.account;
        repository.users.add(&input.container, role.as_ref());
    }

    if !repositories.is_empty() {
        let all = repositories
            .values()
            .fold(Users::default(), |mut all, repository| {
                all.merge(repository.users.clone());
                all
            });
        gathered.allow(
            login(),
            "a token of Amazon ECR; IAM knows no narrower resource for it",
            all.containers.clone(),
        );
        gathered.allow(
            pull(repositories.keys()),
            "manifests and layers of these repositories",
            all.containers,
        );
    }
    if !public.containers.is_empty() {
        gathered.allow(
            Statement::allow(
                "EcrPublicLogin",
                ["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"],
            )
            .on(["*"]),
            "a token of Amazon ECR Public, for its higher quota",
            public.containers,
        );
    }
    for (arn, repository) in &repositories {
        let roles = repository.users.roles_outside(&repository.account);
        if !roles.is_empty() {
            // Repository policies have no resource: they are for the repository that they are attached to.
            let statement = Statement::allow("PullFromOtherAccount", PULL).of(Principal::Aws(roles));
            gathered.owner(&repository.account, OwnedResource::Repository, arn, statement);
        }
    }
}

fn login() -> Statement {
    Statement::allow("EcrLogin", ["ecr:GetAuthorizationToken"]).on(["*"])
}

fn pull<'a>(repositories: impl IntoIterator<Item = &'a String>) -> Statement {
    Statement::allow("EcrPull", PULL).on(repositories)
}
